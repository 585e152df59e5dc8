"""One history: runs of a random pipe on both buses, by workers that do what they are told, and what must come of it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

import msgspec
from tests.property.random_plans.both import BothBuses, Pair
from tests.property.random_plans.pipes import HOP, KINDS, NUMBERS, SIGNAL, Call, Go, Hop, compile_plan
from tests.property.random_plans.shapes import Plan, Taken
from tests.property.random_plans.worlds import EMPTY, Outcome, World, worlds

from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.runner import AsyncRunner
from headrace.kernel.sent_signals import seal_signal
from headrace.ledger.terminal import cancelled, failure_of, result_of
from headrace.ledger.values import Answer, Commit, RunState, Terminal
from headrace.runtime.submissions import PLAIN, Options, Submissions
from headrace.wire.envelope import Framing

PAST_S = 0.003  # after this what is due in a millisecond or two is due on either clock
MOST_ROUNDS = 2_000  # of work until a history is over; hundreds of items in one lane, one by one

_framing = Framing()
_BY_NAME = {kind.__name__: kind for kind in KINDS}


@dataclass(slots=True)
class Run:
    """A run as the history knows it.

    Attributes:
        stopped: Why it may have ended otherwise than by itself.
        worlds: What may come of it; None where that is too much.
    """

    number: int
    value: int
    worlds: list[World] | None
    stopped: set[str] = field(default_factory=set[str])
    calls: Counter[tuple[str, Taken]] = field(default_factory=Counter[tuple[str, Taken]])

    @property
    def uses_its_tickets(self) -> bool:
        """Whether no call of it that took a ticket at ingress can fail, so that a later one is its first."""
        return not self.stopped and self.worlds is not None and not any(world.failures for world in self.worlds)


@dataclass(slots=True)
class Worker:
    """A process with a runner for each group.

    Attributes:
        told: The abandoned runs that it has been told of in memory.
        told_on_redis: Those on Redis.
    """

    name: str
    runners: dict[str, AsyncRunner]
    told: set[str] = field(default_factory=set[str])
    told_on_redis: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Held:
    """An entry in a worker's hands; it may have been taken over by another long ago."""

    worker: Worker
    group: str
    pair: Pair


@dataclass(frozen=True, slots=True)
class Finished:
    """A hop that was run, and is to be committed, maybe again."""

    held: Held
    hop: Hop
    commit: Commit


class History:
    """Runs of one pipe.

    Attributes:
        lanes: By lane, the committed calls of its node, in order.
    """

    def __init__(self, plan: Plan, buses: BothBuses) -> None:
        self.plan = plan
        self.compiled = compile_plan(plan)
        self.groups = tuple(self.compiled.groups)
        self._buses = buses
        self._submissions = Submissions(self.compiled, _framing)
        self._life = AsyncExitStack()
        self.workers: list[Worker] = []
        self.runs: dict[str, Run] = {}
        self.lanes: defaultdict[str, list[Call]] = defaultdict(list)
        self._terminals: Counter[str] = Counter()

    async def begin(self) -> None:
        injector = await self._life.enter_async_context(lifecycle(self.compiled))
        for name in ("w1", "w2"):
            runners = {
                group: AsyncRunner(self.compiled, group, injector=injector, framing=_framing, store=self._buses)
                for group in self.groups
            }
            self.workers.append(Worker(name, runners))
        await self.listen()

    async def end(self) -> None:
        await self._life.aclose()

    async def submit(self, starts: Sequence[tuple[str, int]], *, expires: bool) -> None:
        options = Options(timeout_s=0.001) if expires else PLAIN
        made = [self._submissions.make(KINDS[0](key, value), options, "") for key, value in starts]
        for submission, (_, value) in zip(made, starts, strict=True):
            self.runs[submission.trace_id] = Run(len(self.runs), value, worlds(self.plan, value))
            self.runs[submission.trace_id].stopped.update({"expired"} if expires else ())
        assert await self._buses.same("submit", made) == [True] * len(made)
        assert await self._buses.same("submit", made[:1]) == [False]
        if expires:
            await asyncio.sleep(PAST_S)

    async def take(self, call: str, group: str, worker: Worker) -> list[Held]:
        options = {"wait_s": 0} if call == "read" else {"idle_s": 0}
        pairs = await self._buses.take(call, self.compiled.stream(group), worker.name, **options)
        return [Held(worker, group, pair) for pair in sorted(pairs, key=self._place)]

    async def run(self, held: Held) -> Finished:
        hop = Hop(frozenset(held.worker.told))
        reset = HOP.set(hop)
        try:
            commit = await held.worker.runners[held.group].run(held.pair.in_memory)
        finally:
            HOP.reset(reset)
        assert not hop.told.intersection(hop.started), "a node of an abandoned run was started (I8)"
        return Finished(held, hop, commit)

    def give_up(self, held: Held) -> Finished:
        return Finished(held, Hop(frozenset()), held.worker.runners[held.group].give_up(held.pair.in_memory))

    async def commit(self, finished: Finished) -> list[Answer]:
        held, commit = finished.held, finished.commit
        answers = await self._buses.commit(self.compiled.stream(held.group), held.pair, commit)
        if Answer.FENCED in answers:
            return answers
        given_up = commit.settled and not finished.hop.started
        if given_up and any(settled.dead is not None for settled in commit.settled):
            for trace_id in held.pair.traces:
                self.runs[trace_id].stopped.add("worker_crash")
        self._note(finished, answers)
        return answers

    async def promote(self, group: str) -> int:
        await asyncio.sleep(PAST_S)
        promoted: int = await self._buses.same("promote", self.compiled.stream(group), limit=1000)
        return promoted

    async def cancel(self, trace_id: str) -> None:
        """Cancel a run; its workers listen meanwhile, and are told of it before the answer comes (I8)."""
        buses = (self._buses.memory, self._buses.redis)
        ending = asyncio.gather(*(bus.end(trace_id, cancelled()) for bus in buses))
        while not ending.done():
            await self._hear()
        await self.listen()
        in_memory, on_redis = await ending
        assert in_memory == on_redis, "end"
        if in_memory:
            self.runs[trace_id].stopped.add("cancelled")
            view = await self._buses.memory.view(trace_id)
            assert view is not None
            untold = [worker.name for worker in self.workers if trace_id not in worker.told]
            assert not view.in_flight or not untold, f"not told of a cancelled run: {untold}"

    async def signal(self, trace_id: str) -> bool:
        if not any(SIGNAL in node.signals for node in self.compiled.nodes.values()):
            return False
        sent = seal_signal(self.compiled, _framing, trace_id, SIGNAL, Go())
        taken: bool = await self._buses.same("signal", trace_id, SIGNAL, sent.frame, sent.groups)
        return taken

    async def expire(self) -> None:
        await self._buses.same("expire", limit=1000)

    async def listen(self) -> None:
        """Have every worker ask for abandoned runs, and tell its runners."""
        await self._hear()
        for worker in self.workers:
            assert worker.told == worker.told_on_redis, "abandoned on one bus alone"

    async def check(self) -> None:
        self._terminals.update(event.trace_id for event in await self._buses.events())
        await self._buses.check(list(self.runs))

    async def work_off(self, random: Random) -> None:
        """Do all there is to do, in random order, some of it twice, until every run has ended."""
        for _ in range(MOST_ROUNDS):
            done = await self._round(random)
            if not done and not self._buses.is_busy:
                done = sum([await self.signal(trace_id) for trace_id in self.runs])
                if not done:
                    break
        await self.listen()
        for worker in self.workers:
            await self._buses.both("unlisten", worker.name)

    async def judge(self) -> None:
        """Check what has come of it all."""
        assert not self._buses.is_busy, "something is left to do"
        self._terminals.update(event.trace_id for event in await self._buses.events())
        for trace_id, run in self.runs.items():
            assert self._terminals[trace_id] == 1, f"{self._terminals[trace_id]} endings of {run}"
            view = await self._buses.memory.view(trace_id)
            assert view is not None
            assert view.terminal is not None
            self._judge(run, view.terminal)
        self._judge_order()
        await self._buses.check_nothing_left()

    async def _round(self, random: Random) -> int:
        await self.expire()
        done = 0
        held: list[Held] = []
        for group in random.sample(self.groups, len(self.groups)):
            done += await self.promote(group)
            worker = random.choice(self.workers)
            held += await self.take("read", group, worker)
            held += await self.take("claim", group, random.choice(self.workers))
        random.shuffle(held)
        for one in held:
            finished = await self.run(one)
            await self.commit(finished)
            if random.random() < 0.2:
                assert set(await self.commit(finished)) <= {Answer.FENCED}
        await self.listen()
        return done + len(held)

    async def _hear(self) -> None:
        for worker in self.workers:
            in_memory, on_redis = await self._buses.both("abandoned", worker.name, wait_s=0)
            worker.told.update(in_memory)
            worker.told_on_redis.update(on_redis)
            for runner in worker.runners.values():
                runner.abandon(in_memory)

    def _place(self, pair: Pair) -> tuple[object, ...]:
        """Give where an entry stands among others: the same in every repetition of a history."""
        headers = _framing.open(pair.items[0].frames[0])
        return self.runs[headers.trace_id].number, headers.node, headers.lineage, headers.attempt, headers.scope

    def _note(self, finished: Finished, answers: list[Answer]) -> None:
        places = {_framing.open(item.frames[0]).id: at for at, item in enumerate(finished.held.pair.items)}
        at = 0
        for call in finished.hop.calls:
            at = places.get(call.invocation, at)
            if finished.commit.state is not None and call.tally is not None:
                self._note_tally(call)
            if at < len(answers) and answers[at] is not Answer.LATE and finished.commit.settled[at].dead is None:
                self.runs[call.trace_id].calls[call.node, call.taken] += 1

    def _note_tally(self, call: Call) -> None:
        """Check that the state which a keyed call found was that of the calls before it, each once."""
        assert call.tally is not None
        lane, count, total = call.tally
        before = self.lanes[lane]
        assert (count, total) == (len(before), sum(_value(each.taken) for each in before)), f"state of {lane}"
        before.append(call)

    def _judge(self, run: Run, terminal: Terminal) -> None:
        outcome = _outcome(terminal)
        possible = run.worlds
        if possible is None:
            return
        if outcome[0] in run.stopped:
            allowed = any(world.allows(run.calls, None) for world in possible)
        elif "worker_crash" in run.stopped:  # it had its answer before
            allowed = any(outcome in world.outcomes for world in possible)
        else:
            allowed = any(world.allows(run.calls, outcome) for world in possible)
        came = [(world.outcomes, world.calls - run.calls, run.calls - world.calls) for world in possible[:3]]
        assert allowed, f"run {run.number} of value {run.value} came to {outcome}; worlds, less, more: {came}"

    def _judge_order(self) -> None:
        """Check that lanes in the order of ingress were used in that order, and that the last state is kept."""
        for name, calls in self.lanes.items():
            node = next(node for node in self.plan.nodes if node.name == calls[0].node)
            used = [run for run in (self.runs[call.trace_id] for call in calls) if run.uses_its_tickets]
            runs = list(dict.fromkeys(run.number for run in used))
            if node.keyed == "ingress" and not name.endswith("."):  # the gather of nothing has no key to hand on
                assert runs == sorted(runs), f"order in {name}"
            stored = self._buses.memory._ledger.lanes[name].state
            keyed = self.compiled.nodes[node.name].keyed
            assert stored is not None
            assert keyed is not None
            assert keyed.state is not None
            tally = keyed.state.decode(_framing.unwrap(stored))
            assert (tally.count, tally.total) == (len(calls), sum(_value(call.taken) for call in calls))


def _value(taken: Taken) -> int:
    (sent,) = taken
    assert isinstance(sent, tuple)
    assert isinstance(sent[1], int)
    return sent[1]


def _outcome(terminal: Terminal) -> Outcome:
    match terminal.state:
        case RunState.COMPLETED:
            result = result_of(terminal)
            if not result.type:
                return EMPTY
            kind = _BY_NAME[result.type]
            return "completed", "", (NUMBERS[kind], msgspec.msgpack.decode(result.body, type=kind).value)
        case RunState.FAILED:
            failure = failure_of(terminal)
            return str(failure.kind), failure.node, None
        case state:
            return str(state), "", None
