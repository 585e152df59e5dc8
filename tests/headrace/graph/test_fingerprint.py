"""The version of a plan: equal where it must be, different where it must be."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Unpack

import pytest
from msgspec import Struct

from headrace.graph import fingerprint
from headrace.graph.declaration import NodeOptions
from headrace.graph.options import FirstMarker, PartialMarker, Retry, SignalMarker, StateMarker, Suspend
from headrace.graph.pipe import Pipe

LIBS = Path(fingerprint.__file__).parents[2]

SCRIPT = """
import dataclasses
from enum import Enum
from typing import Literal
from msgspec import Struct
from pydantic import BaseModel
from headrace.graph.declaration import NodeOptions
from headrace.graph.options import State
from headrace.graph.pipe import Pipe

class Kind(Enum):
    RED = "red"
    BLUE = "blue"

class A(Struct):
    n: int
    kind: Kind
    word: Literal["x", "y", "z"] = "x"
    tags: set[str] = set()

class B(BaseModel):
    n: int
    tags: frozenset[str] = frozenset({"a", "b", "c"})

@dataclasses.dataclass
class C:
    n: int

class Limits(Struct):
    spent: int = 0

pipe = Pipe("stable")

@pipe.node(key=lambda _: "all", order="ingress", retry=3)
def one(a: A, limits: State[Limits]) -> B | C | None: ...

@pipe.node
def two(b: B) -> list[C]: ...

print(pipe.compile({"two": "other"}).version)
"""


class A(Struct):
    n: int


class B(Struct):
    n: int


class Limits(Struct):
    spent: int = 0


def version(
    *,
    pipe_name: str = "p",
    placement: dict[str, str] | None = None,
    reverse: bool = False,
    **options: Unpack[NodeOptions],
) -> str:
    pipe = Pipe(pipe_name)

    def one(a: A) -> B: ...
    def two(b: B) -> None: ...

    def declare_one() -> None:
        pipe.node(**options)(one)

    def declare_two() -> None:
        pipe.node(two)

    for declare in (declare_two, declare_one) if reverse else (declare_one, declare_two):
        declare()
    return pipe.compile(placement).version


@pytest.mark.slow
def test_the_version_is_the_same_in_every_process() -> None:
    versions = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONPATH": str(LIBS), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(versions) == 1


def test_the_version_is_twelve_hex_digits() -> None:
    assert len(version()) == 12
    assert int(version(), 16) > 0


def test_what_does_not_alter_behaviour_does_not_alter_the_version() -> None:
    assert version() == version()
    assert version(reverse=True) == version()
    assert version(concurrency=3) == version()
    assert version(placement={"one": "main"}) == version()


@pytest.mark.parametrize(
    "options",
    [
        {"pipe_name": "q"},
        {"placement": {"one": "other"}},
        {"group": "other"},
        {"retry": 4},
        {"retry": Retry(attempts=4, on=(ValueError,))},
        {"timeout": 3.0},
        {"max_visits": 2},
        {"key": "n"},
        {"key": "n", "order": "ingress"},
    ],
)
def test_what_alters_behaviour_alters_the_version(options: dict[str, Any]) -> None:
    assert version(**options) != version()


def test_a_field_more_alters_the_version() -> None:
    def of(**fields: type) -> str:
        message = type("Message", (Struct,), {"__annotations__": fields})
        pipe = Pipe("p")

        def one(message: object) -> None: ...

        one.__annotations__ = {"message": message, "return": None}
        pipe.node(one)
        return pipe.compile().version

    assert of(n=int) == of(n=int)
    assert of(n=int) != of(n=str)
    assert of(n=int) != of(n=int, m=int)


def test_the_fields_of_the_state_alter_the_version() -> None:
    def of(**fields: type) -> str:
        state = type("Kept", (Struct,), {"__annotations__": fields, **dict.fromkeys(fields)})
        pipe = Pipe("p")

        def one(a: A, kept: object) -> None: ...

        one.__annotations__ = {"a": A, "kept": Annotated[state, StateMarker()], "return": None}
        pipe.node(key="n")(one)
        return pipe.compile().version

    assert of(n=int) != of(n=int, m=int)


def test_how_messages_meet_alters_the_version() -> None:
    def of(b: object, **options: Unpack[NodeOptions]) -> str:
        pipe = Pipe("p")

        @pipe.node
        def make(a: A) -> B: ...

        def join(a: A, b: object) -> None: ...

        join.__annotations__ = {"a": A, "b": b, "return": None}
        pipe.node(**options)(join)
        return pipe.compile().version

    marked = [Annotated[B, mark] for mark in (PartialMarker(), FirstMarker())]
    versions = {of(B), *map(of, marked), of(B, barrier_timeout=1.0), of(B, barrier_timeout=2.0)}

    assert len(versions) == 5


def test_signals_alter_the_version() -> None:
    def of(name: str, **fields: type) -> str:
        signal = type("Approval", (Struct,), {"__annotations__": fields})
        pipe = Pipe("p")
        scope: dict[str, Any] = {}
        exec(f"def one(a, {name}): ...", scope)  # noqa: S102 - a parameter's name is what is tried
        scope["one"].__annotations__ = {"a": A, name: Annotated[signal, SignalMarker()], "return": Suspend}
        pipe.node(scope["one"])
        return pipe.compile().version

    assert len({of("approval", n=int), of("approval", n=str), of("answer", n=int)}) == 3
