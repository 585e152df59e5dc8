"""The Redis bus for whoever starts runs: `bus.protocol.Ingress`."""

from collections.abc import Sequence
from typing import Any

from headrace.bus.redis import calls
from headrace.bus.redis.server import Server, by_partition
from headrace.ledger.values import RunState, RunView, Submission, Terminal
from headrace.wire.trace import partition_of

_RUN_FIELDS = ("pipe", "plan", "state", "terminal", "in_flight", "created_ms")


class RedisIngress:
    """Starts runs and looks them up.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def submit(self, submissions: Sequence[Submission]) -> list[bool]:
        is_new = [False] * len(submissions)
        for partition, positions in by_partition(submissions, lambda one: partition_of(one.trace_id)).items():
            chosen = [submissions[position] for position in positions]
            raw = await self._server.run(
                "submit", calls.submit_call(self._server.keys[partition], chosen, self._server.lane_batch)
            )
            for position, answer in zip(positions, raw, strict=True):
                is_new[position] = answer == 1
        return is_new

    async def view(self, trace_id: str) -> RunView | None:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return None
        async with self._server.connections.errors():
            raw: list[Any] = await self._server.connections.commands.hmget(keys.run(trace_id)[0], list(_RUN_FIELDS))
        pipe, plan, state, terminal, in_flight, created_ms = (value or b"" for value in raw)
        if not state:
            return None
        run_state = RunState(state.decode())
        ended = None if run_state is RunState.OPEN else Terminal(run_state, terminal)
        return RunView(trace_id, pipe.decode(), plan.decode(), ended, int(in_flight), int(created_ms))

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return None
        async with self._server.connections.errors():
            await self._server.scripts.run("watch", [keys.run(trace_id)[0], keys.waiters], [trace_id, inbox])
        return await self.view(trace_id)

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        keys = self._server.keys_of(trace_id)
        if keys is not None:
            async with self._server.connections.errors():
                await self._server.scripts.run("unwatch", [keys.waiters], [trace_id, inbox])

    async def end(self, trace_id: str, terminal: Terminal, tickets: Sequence[tuple[str, str]]) -> bool:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return False
        call = calls.end_call(
            keys, trace_id, terminal, list(tickets), self._server.retention_ms, self._server.lane_batch
        )
        return bool(await self._server.run("end", call))
