"""One call of a node in another process: what is sent there, what happens there, and what comes back.

The process builds a container of its own from the pipe's providers, once, where a node injects.
"""

import atexit
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import structlog

from headrace.executors.await_here import await_here
from headrace.executors.preparation import prepare
from headrace.kernel import inject
from headrace.kernel.calls import from_loop, listed
from headrace.kernel.context import Context
from headrace.kernel.home import here
from headrace.kernel.inject import Injector
from headrace.kernel.publisher import Publisher
from headrace.kernel.store import RunStore

_injectors: dict[bytes, Injector] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCall:
    """A call to be made.

    Attributes:
        arguments: By parameter, but for the context and what is injected.
        injected: Parameter name to type.
        providers: The pipe's providers, pickled; empty where nothing is injected.
        context_param: The parameter that takes the context, None for none.
        context: Its fields.
        state_param: The parameter that takes the key's state, None for none.
        about: What log lines that it writes say of it, by field.
        preparation: What the process does before its first call, as `preparation.packed` gave it.
    """

    function: Callable[..., Any]
    is_async: bool
    is_series: bool
    arguments: dict[str, Any]
    injected: Mapping[str, Any]
    providers: bytes
    context_param: str | None
    context: dict[str, Any]
    state_param: str | None
    about: Mapping[str, str]
    preparation: bytes

    def __call__(self) -> "Returned":
        """Make it, in the process where it is to be made."""
        prepare(self.preparation)
        with structlog.contextvars.bound_contextvars(**self.about):
            return cast("Returned", await_here(self._make()))

    async def _make(self) -> "Returned":
        arguments, emitted = dict(self.arguments), list[Any]()
        if self.context_param is not None:
            arguments[self.context_param] = _context(self.context, emitted)
        if self.injected:
            async with _injector(self.providers).hop() as request, inject.step(request, self.injected) as injected:
                outputs = await self._call({**arguments, **injected})
        else:
            outputs = await self._call(arguments)
        state = arguments[self.state_param] if self.state_param is not None else None
        return Returned(outputs=outputs, emitted=emitted, state=state)

    async def _call(self, arguments: dict[str, Any]) -> list[Any]:
        if self.is_async:
            return await from_loop(self.function, arguments, is_series=self.is_series)
        return listed(self.function(**arguments), is_series=self.is_series)  # this loop has nothing else to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a call came to.

    Attributes:
        outputs: What the function returned or yielded.
        emitted: What it gave `ctx.emit`, in order.
        state: The key's state after it, None where it takes none.
    """

    outputs: list[Any]
    emitted: list[Any]
    state: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextElsewhere(Context):
    """The `Context` of a call in another process: what it emits is told when the call has returned."""

    emitted: list[Any] = field(default_factory=list[Any])

    def emit(self, value: object) -> None:
        """Tell observers of progress, when the call has returned."""
        self.emitted.append(value)

    def once(self, name: str, fn: object, *, type: object = Any) -> NoReturn:  # noqa: A002, ARG002 - as in `Context`
        """Refuse: what is memoised lies on the bus, which this process does not speak to."""
        raise RuntimeError(f"ctx.once needs the bus: '{self.node}' runs in another process; call it in a node before")


def _context(fields: dict[str, Any], emitted: list[Any]) -> Context:
    return ContextElsewhere(
        **fields,
        publisher=Publisher(()),
        store=cast("RunStore", None),  # only `once` asks it
        home=here(),
        origin=None,
        emitted=emitted,
    )


def _injector(providers: bytes) -> Injector:
    injector = _injectors.get(providers)
    if injector is None:
        injector = _injectors[providers] = Injector(pickle.loads(providers))  # noqa: S301 - its parent sent it
        atexit.register(lambda: await_here(injector.aclose()))
    return injector
