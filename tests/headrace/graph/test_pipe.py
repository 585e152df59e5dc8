"""Declaring a pipe: what the decorators take, give back, and leave for compile."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import inspect
from typing import assert_type

import pytest
from msgspec import Struct

from headrace.errors import CompileError
from headrace.graph.options import Retry
from headrace.graph.pipe import Pipe


class Name(Struct):
    name: str


class Greeting(Struct):
    text: str


def test_the_decorator_gives_the_function_back_unchanged() -> None:
    pipe = Pipe("greetings")

    def greet(msg: Name) -> Greeting:
        return Greeting(f"Hello, {msg.name}")

    assert assert_type(pipe.node(greet)(Name("Ada")), Greeting) == Greeting("Hello, Ada")
    assert pipe.node(greet) is greet
    assert pipe.node(group="slow")(greet) is greet


def test_options_are_in_the_plan() -> None:
    pipe = Pipe("greetings")

    @pipe.node(name="hello", group="slow", retry=5, timeout=2.5, concurrency=4)
    async def greet(msg: Name) -> Greeting: ...

    @pipe.node(retry=Retry(attempts=2, on=(ValueError,)))
    async def wave(msg: Name) -> None: ...

    plan = pipe.compile()
    node = plan.nodes["hello"]

    assert (node.name, node.group, node.retry, node.timeout_s, node.concurrency) == (
        "hello",
        "slow",
        Retry(attempts=5),
        2.5,
        4,
    )
    assert plan.nodes["wave"].retry == Retry(attempts=2, on=(ValueError,))
    assert plan.groups == {"slow": ("hello",), "main": ("wave",)}


def test_hooks_observers_and_providers_are_in_the_plan_in_order() -> None:
    pipe = Pipe("greetings")
    observer, provider = print, object()

    @pipe.node
    def greet(msg: Name) -> Greeting: ...

    @pipe.on_startup
    async def warm() -> None: ...

    @pipe.on_startup
    def check() -> None: ...

    @pipe.on_shutdown
    def close() -> None: ...

    pipe.observe(observer)
    pipe.provide(provider)
    plan = pipe.compile()

    assert plan.on_startup == (warm, check)
    assert plan.on_shutdown == (close,)
    assert plan.observers == (observer,)
    assert plan.providers == (provider,)


def test_a_pipe_can_be_compiled_again_after_more_nodes() -> None:
    pipe = Pipe("greetings")

    @pipe.node
    def greet(msg: Name) -> Greeting: ...

    first = pipe.compile()

    @pipe.node
    def post(greeting: Greeting) -> None: ...

    assert list(first.nodes) == ["greet"]
    assert list(pipe.compile().nodes) == ["greet", "post"]


def test_all_mistakes_come_at_once_each_with_its_file_and_line() -> None:
    pipe = Pipe("Greetings")
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno

    @pipe.node(to="psot", timeout=0)
    def greet(msg: Name) -> Greeting: ...

    @pipe.node
    def post(greeting: Greeting): ...  # type: ignore[no-untyped-def]

    with pytest.raises(CompileError) as caught:
        pipe.compile({"pots": "main"})

    assert str(caught.value).splitlines() == [
        "pipe 'Greetings' has 5 mistakes:",
        f"  {__file__}:{line - 3}: pipe name 'Greetings' does not match [a-z][a-z0-9_-]{{0,62}}",
        f"  {__file__}:{line - 3}: the placement puts 'pots' into group 'main', but it is no node; "
        "did you mean 'post'?",
        f"  {__file__}:{line + 2}: node 'greet': timeout=0 must be a number of seconds above 0",
        f"  {__file__}:{line + 2}: node 'greet': to='psot' names no node; did you mean 'post'?",
        f"  {__file__}:{line + 5}: node 'post': the return has no annotation; give the type sent on, or None",
    ]
