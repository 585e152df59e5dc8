"""The Redis bus for whoever starts runs: `bus.protocol.Ingress`."""

from collections.abc import Sequence
from typing import Any

from headrace.bus.redis import calls
from headrace.bus.redis.scripts import Value
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
            call = calls.submit_call(self._server.keys[partition], chosen, self._server.lane_batch)
            raw = await self._ask("submit", call.keys, call.args)
            for position, answer in zip(positions, raw, strict=True):
                is_new[position] = answer == 1
        return is_new

    async def view(self, trace_id: str) -> RunView | None:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return None
        run, _ = keys.run(trace_id)
        commands = self._server.connections.commands
        raw: list[Any] = await self._server.connections.twice(lambda: commands.hmget(run, list(_RUN_FIELDS)))
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
        await self._ask("watch", [keys.run(trace_id)[0], keys.waiters], [trace_id, inbox])
        return await self.view(trace_id)

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        keys = self._server.keys_of(trace_id)
        if keys is not None:
            await self._ask("unwatch", [keys.waiters], [trace_id, inbox])

    async def end(self, trace_id: str, terminal: Terminal, tickets: Sequence[tuple[str, str]]) -> bool:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return False
        call = calls.end_call(
            keys, trace_id, terminal, list(tickets), self._server.retention_ms, self._server.lane_batch
        )
        return bool(await self._ask("end", call.keys, call.args))

    async def _ask(self, verb: str, keys: Sequence[str], args: Sequence[Value]) -> Any:  # noqa: ANN401 - a script's own answer
        return await self._server.connections.twice(lambda: self._server.scripts.run(verb, keys, args))
