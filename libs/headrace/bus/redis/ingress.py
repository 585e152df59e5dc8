"""The Redis bus for whoever starts runs: `bus.protocol.Ingress`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from headrace.bus.redis import calls
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.listeners import Listeners
from headrace.bus.redis.scripts import Value
from headrace.bus.redis.server import Server, by_partition
from headrace.bus.redis.together import Together
from headrace.ledger.values import Letter, Load, RunState, RunView, Submission, Submitted, Terminal
from headrace.wire.trace import partition_of

_RUN_FIELDS = ("pipe", "plan", "state", "terminal", "in_flight", "waiting", "created_ms", "fingerprint", "events")
_SUBMITS = 256  # callers whose runs one call starts: a few ms of the server's time


class RedisIngress:
    """Starts runs and looks them up.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listeners = Listeners(server)
        # one a partition: those on a server that is away spoil no other's
        self._submits = [Together(partial(self._submit, keys), _SUBMITS) for keys in server.keys]

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        answers = [Submitted.KNOWN] * len(submissions)
        for partition, positions in by_partition(submissions, lambda one: partition_of(one.trace_id)).items():
            given = await self._submits[partition].ask([submissions[position] for position in positions])
            for position, answer in zip(positions, given, strict=True):
                answers[position] = answer
        return answers

    async def view(self, trace_id: str) -> RunView | None:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return None
        run, _ = keys.run(trace_id)
        commands = self._server.connections.commands
        raw: list[Any] = await self._server.connections.twice(lambda: commands.hmget(run, list(_RUN_FIELDS)))
        values = (value or b"" for value in raw)
        pipe, plan, state, terminal, in_flight, waiting, created_ms, fingerprint, events = values
        if not state:
            return None
        run_state = RunState(state.decode())
        ended = None if run_state is RunState.OPEN else Terminal(run_state, terminal)
        return RunView(
            trace_id,
            pipe.decode(),
            plan.decode(),
            ended,
            int(in_flight),
            int(waiting or 0),
            int(created_ms),
            fingerprint.decode(),
            events != b"",
        )

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

    async def end(self, trace_id: str, terminal: Terminal) -> bool:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return False
        has_ended = await self._server.end_run(keys, trace_id, terminal)
        if has_ended:
            await self._listeners.have_heard(keys)
        return has_ended

    async def signal(self, trace_id: str, signal: str, frame: bytes, groups: Sequence[str]) -> bool:
        keys = self._server.keys_of(trace_id)
        if keys is None:
            return False
        call = calls.signal_call(keys, trace_id, signal, frame, list(groups))
        # not asked twice: a second answer would be that the signal had been given
        async with self._server.connections.errors():
            return bool(await self._server.scripts.run("signal", call.keys, call.argv) == 1)

    async def redrive(self, group: str, letter: Letter, submission: Submission) -> bool:
        keys = self._server.keys[letter.partition]
        call = calls.redrive_call(keys, group, letter, submission, self._server.limits)
        async with self._server.connections.errors():
            return bool(await self._server.scripts.run("submit", call.keys, call.argv) == [1])

    async def purge(self, group: str, letters: Sequence[Letter]) -> int:
        purged = 0
        for partition, positions in by_partition(letters, lambda letter: letter.partition).items():
            ids = [letters[position].id for position in positions]
            async with self._server.connections.errors():
                purged += await self._server.connections.commands.xdel(self._server.keys[partition].dead(group), *ids)
        return purged

    async def load(self, pipe: str) -> Load:
        commands = self._server.connections.commands
        fields = [f"started:{pipe}", f"ended:{pipe}"]
        started = ended = 0
        for keys in self._server.keys:
            raw: list[Any] = await self._server.connections.twice(partial(commands.hmget, keys.admitted, fields))
            started += int(raw[0] or 0)
            ended += int(raw[1] or 0)
        return Load(started, ended)

    async def now_ms(self) -> int:
        commands = self._server.connections.commands
        seconds, microseconds = await self._server.connections.twice(commands.time)
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def _submit(self, keys: Keys, submissions: Sequence[Submission]) -> list[Submitted]:
        call = calls.submit_call(keys, submissions, self._server.limits)
        return [Submitted(answer) for answer in await self._ask("submit", call.keys, call.argv)]

    async def _ask(self, verb: str, keys: Sequence[str], args: Sequence[Value]) -> Any:  # noqa: ANN401 - a script's own answer
        return await self._server.connections.twice(lambda: self._server.scripts.run(verb, keys, args))
