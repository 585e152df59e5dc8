"""Compiling: codecs, names, targets and placement; what stops it is worded for the user."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import dataclasses
from collections.abc import Callable

import pytest
from msgspec import Struct
from pydantic import BaseModel, ConfigDict
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement


class Name(Struct):
    name: str


class Greeting(BaseModel):
    text: str


@dataclasses.dataclass
class Posted:
    at: int


def build() -> Pipe:
    pipe = Pipe("greetings")

    @pipe.node
    def greet(msg: Name) -> Greeting: ...

    @pipe.node(group="post")
    def post(greeting: Greeting) -> Posted: ...

    return pipe


def test_every_kind_of_message_has_a_codec() -> None:
    plan = build().compile()

    assert plan.codecs["Name"].from_json(plan.codecs["Name"].to_json(Name("Ada"))) == Name("Ada")
    assert plan.type_names == {Name: "Name", Greeting: "Greeting", Posted: "Posted"}


def test_two_nodes_of_one_name_are_a_mistake() -> None:
    pipe = build()

    @pipe.node(name="greet")
    def other(msg: Name) -> Greeting: ...

    line = next(node.where.line for node in pipe._nodes)
    assert mistakes_of(pipe) == [
        f"node 'greet': this name is taken by the node at {__file__}:{line}; give one of the two another name="
    ]


def test_a_target_that_does_not_take_the_output_is_a_mistake() -> None:
    pipe = Pipe("greetings", entry=Name)

    @pipe.node(to="post")
    def greet(msg: Name) -> Greeting | Posted: ...

    @pipe.node
    def post(greeting: Greeting) -> Posted: ...

    assert mistakes_of(pipe) == ["node 'greet': output 'Posted' cannot go to 'post', which takes 'Greeting'"]


def test_an_unknown_target_does_not_make_other_nodes_unreachable() -> None:
    pipe = Pipe("greetings")

    @pipe.node(to="mail")
    def greet(msg: Name) -> Greeting: ...

    @pipe.node
    def post(greeting: Greeting) -> Posted: ...

    assert mistakes_of(pipe) == ["node 'greet': to='mail' names no node; known: 'greet', 'post'"]


def test_a_type_that_cannot_be_put_on_the_wire_is_a_mistake() -> None:
    class Socket:
        pass

    class Raw(Struct):
        socket: Socket

    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        socket: Socket

    class Called(Struct):
        back: Callable[[], None]

    class Unfinished(Struct):
        it: "Missing"  # type: ignore[name-defined]  # noqa: F821

    pipe = Pipe("raw")

    @pipe.node
    def one(raw: Raw) -> Model | Called | Unfinished: ...

    lines = mistakes_of(pipe)

    assert [line.partition(" has no form on the wire: ")[0] for line in lines] == [
        "node 'one': message type 'Raw'",
        "node 'one': message type 'Model'",
        "node 'one': message type 'Called'",
        "node 'one': message type 'Unfinished'",
    ]
    assert "Socket" in lines[0]
    assert "Socket" in lines[1]
    assert lines[3].endswith("name 'Missing' is not defined")


def test_two_classes_of_one_name_are_a_mistake() -> None:
    def other() -> type[Struct]:
        class Name(Struct):
            number: int

        return Name

    local = other()
    pipe = Pipe("names", entry=Name)

    def rename(msg: Name) -> None: ...

    rename.__annotations__["return"] = local
    pipe.node(rename)

    assert mistakes_of(pipe) == [
        f"node 'rename': message types {__name__}.Name and {__name__}.{local.__qualname__} are both 'Name' on the "
        "wire; rename one"
    ]


def test_the_group_of_a_node_is_the_placements_then_its_own_then_main() -> None:
    pipe = build()

    assert pipe.compile().groups == {"main": ("greet",), "post": ("post",)}
    assert pipe.compile({"greet": "front"}).groups == {"front": ("greet",), "post": ("post",)}
    assert pipe.compile({"post": "main"}).groups == {"main": ("greet", "post")}
    assert pipe.compile(Placement(default="rest")).groups == {"rest": ("greet",), "post": ("post",)}


def test_a_placement_without_default_must_place_every_node() -> None:
    assert mistakes_of(build(), Placement(groups={"post": "out"})) == [
        "node 'greet': no group runs it; name it in the placement, give group=, or give the placement a default"
    ]


def test_a_wrong_name_in_the_placement_is_a_mistake() -> None:
    assert mistakes_of(build(), {"gret": "front", "post": "Out"}) == [
        "the placement puts 'gret' into group 'front', but it is no node; did you mean 'greet'?",
        "group name 'Out' does not match [a-z][a-z0-9_-]{0,62}",
    ]


@pytest.mark.parametrize("name", ["nodes", "codecs", "type_names", "consumers", "parents", "groups"])
def test_nothing_can_be_put_into_a_plan_or_taken_out(name: str) -> None:
    plan = build().compile()
    with pytest.raises(TypeError, match="does not support item assignment"):
        getattr(plan, name)["new"] = None
    with pytest.raises(TypeError, match="does not support item assignment"):
        plan.nodes["greet"].routes["new"] = ()  # type: ignore[index] # that it is refused is what is tested
