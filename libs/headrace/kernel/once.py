"""Memoises a side effect under its run: done once, its value remembered where a repeated call finds it."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from headrace.kernel.store import RunStore
from headrace.kernel.threads import in_thread, in_turn

_encode = msgspec.msgpack.Encoder().encode


async def once(store: RunStore, trace_id: str, name: str, function: Callable[[], Any], kind: Any) -> Any:  # noqa: ANN401 - whatever a user's function gives
    """Give what a function gave when it was called first under a name in a run; call it where it was not.

    Raises:
        msgspec.ValidationError: What is remembered is of another type.
        TypeError: What the function gave has no form in msgpack.
    """
    remembered = await store.recall(trace_id, name)
    if remembered is None:
        remembered = await store.remember(trace_id, name, _encode(await _called(function)))
    return msgspec.msgpack.decode(remembered, type=kind)


async def _called(function: Callable[[], Any]) -> Any:  # noqa: ANN401 - as above
    if inspect.iscoroutinefunction(function):
        return await function()
    made = await in_turn(in_thread, None, function)
    return await made if inspect.isawaitable(made) else made
