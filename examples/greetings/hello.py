"""Hello world: one node. `headrace run examples.greetings:pipe '{"name":"Ada"}'` answers at once."""

from msgspec import Struct

from headrace import Pipe


class Name(Struct):
    """Whom to greet."""

    name: str


class Greeting(Struct):
    """The greeting."""

    text: str


pipe = Pipe("greetings")


@pipe.node
async def greet(msg: Name) -> Greeting:
    """Greet somebody."""
    return Greeting(f"Hello, {msg.name}")
