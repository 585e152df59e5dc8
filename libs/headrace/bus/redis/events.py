"""The Redis bus for what is told of runs, and for who follows them: `bus.protocol.Events`."""

from collections.abc import Mapping, Sequence

from headrace.bus.redis.calls import tell_call
from headrace.bus.redis.entries import run_event
from headrace.bus.redis.server import Server, by_partition
from headrace.ledger.told import Told
from headrace.ledger.values import RunEvent
from headrace.wire.trace import partition_of


class RedisEvents:
    """Keeps events of runs, and reads them.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def tell(self, told: Sequence[Told]) -> None:
        for partition, positions in by_partition(told, lambda one: partition_of(one.trace_id)).items():
            chosen = [told[position] for position in positions]
            await self._server.run("tell", tell_call(self._server.keys[partition], chosen, self._server.limits))

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        streams = {
            keys.events(trace_id): (trace_id, f"{seq}-0")
            for trace_id, seq in after.items()
            if (keys := self._server.keys_of(trace_id)) is not None
        }
        if not streams:
            return {}
        raw = await self._server.read(
            ("XREAD", "COUNT", limit), {stream: last for stream, (_, last) in streams.items()}, wait_s
        )
        return {
            streams[name.decode()][0]: [
                run_event(entry_id, fields) for entry_id, fields in entries if fields is not None
            ]
            for name, entries in raw
        }
