"""The memory bus as a client of its broker sees it: all that is asked and answered goes through bytes and back.

So what is compared with Redis is what the tcp bus carries, without its sockets, which have tests of their own.
"""

from typing import Any

import msgspec
from msgspec import Raw

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp.methods import (
    METHODS,
    Method,
    decode_answers,
    decode_arguments,
    decode_calls,
    encode_answer,
    encode_call,
    joined,
)

_encode = msgspec.msgpack.Encoder().encode


class MemoryBusOverTheWire(MemoryBus):
    """Carries out what came through bytes, and gives what went through bytes."""


def _carried(method: Method) -> Any:
    own = getattr(MemoryBus, method.name)

    async def carried(self: MemoryBus, *arguments: Any, **named: Any) -> Any:
        given = (*arguments, *(named[name] for name in method.keywords))
        frame = joined([encode_call(1, method, _encode(given), 0)])
        (call,) = decode_calls(memoryview(frame))
        _, came = decode_arguments(call)
        by_place = len(came) - len(method.keywords)
        value = await own(self, *came[:by_place], **dict(zip(method.keywords, came[by_place:], strict=True)))
        (answer,) = decode_answers(memoryview(joined([encode_answer(1, value)])))
        return method.decode_answer(Raw(answer.value))

    return carried


for each in METHODS:
    setattr(MemoryBusOverTheWire, each.name, _carried(each))
