"""The same random history through the Python ledger and through the Lua on a real Redis: every answer, entry, run and
terminal event must be the same, and conservation (I7) must hold after every step."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.property.history import Held, Runs

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.errors import Failure, FailureKind, FailureSource
from headrace.ledger.terminal import cancelled, completed, ended
from headrace.ledger.told import Told
from headrace.ledger.values import (
    Arrive,
    Commit,
    Delivery,
    Emit,
    Enqueue,
    Feed,
    Item,
    Join,
    Open,
    Output,
    Park,
    RunState,
    Schedule,
    Settled,
    Submission,
    Submitted,
    Terminal,
)

GROUPS = ("pipe.a", "pipe.b")
LANES = {"pipe.n.k1": "pipe.a", "pipe.n.k2": "pipe.b"}
FAILED = ended(RunState.FAILED, Failure(FailureKind.STEP, FailureSource.USER_CODE, "n", "a"))
EXPIRED = ended(RunState.EXPIRED, Failure(FailureKind.DEADLINE, FailureSource.USER_CODE, "n", "a"))
NEVER_MS = 10_000_000

ALL = Join("pipe.a", "all", "", ("a", "b"))
PARTIAL = Join("pipe.b", "partial", "", ("a", "b"), optional=("b",))
FIRST = Join("pipe.a", "first", "", ("w",))
TIMED = Join("pipe.b", "timed", "", ("a", "b"), optional=("b",), timeout_ms=1)
STARVING = ("all", "partial", "timed")
JOINS = {join.node: join for join in (ALL, PARTIAL, FIRST, TIMED)}
FEEDS = {
    "all": (Feed(PARTIAL, "a"), Feed(PARTIAL, "b")),
    "partial": (),
    "first": (Feed(ALL, "a"), Feed(TIMED, "b")),
    "timed": (Feed(FIRST, "w"),),
}
EVERYTHING = tuple(Feed(join, slot) for join in JOINS.values() for slot in join.slots)
MANY = 300  # frames; from then on a history only works off what is there
ALL_THERE_IS: dict[str, Any] = {"limit": 1000, "wait_s": 0}
PAST_S = 0.003  # after this what is due in a millisecond is due on either clock

kinds_of_output = st.lists(
    st.sampled_from(
        (
            *("emit", "emit", "half-0", "half-1", "all:a", "all:b", "partial:a", "partial:b", "first:w", "first:w"),
            *("timed:a", "timed:b", "open", "open", "gather", "gather", "park-x", "park-y"),
            *("lane-1", "lane-2", "ingress-1", "ingress-2", "now", "never"),
        )
    ),
    max_size=5,
)
tickets_taken = st.sets(st.sampled_from(sorted(LANES)))


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a worker ends an entry.

    `share` of a lane's items are settled, each with the next of `states` as its terminal; `limit` is the lane's for
    what it hands out next; `again` schedules a lane's items once more.
    """

    kinds: list[str]
    states: list[str | None]
    share: float
    limit: int
    again: bool


settlements = st.builds(
    Settlement,
    kinds=kinds_of_output,
    states=st.lists(st.sampled_from((None, None, None, "completed", "failed", "expired")), min_size=1, max_size=3),
    share=st.sampled_from((0.0, 0.5, 1.0, 1.0, 1.0)),
    limit=st.integers(0, 2),
    again=st.booleans(),
)


class LedgerAndLua(RuleBasedStateMachine):
    url = ""

    held = Bundle("held")
    done = Bundle("done")

    @initialize(batch=st.sampled_from((1, 2, 64)), spill_over=st.sampled_from((1, 500, 500)))
    def open_buses(self, batch: int, spill_over: int) -> None:
        """Open a bus of each kind.

        What spills is recorded behind its commit. So that this makes no difference, lanes then give out one item, and
        no join can end a run before the rest of the hop is recorded.
        """
        self.loop = asyncio.new_event_loop()
        self.spills = spill_over == 1
        batch = 1 if self.spills else batch
        self.memory = MemoryBus(lane_batch=batch)
        self.redis = RedisBus(self.url, namespace=f"property-{uuid4().hex}", lane_batch=batch, spill_over=spill_over)
        self.runs = Runs()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.redis.aclose())
            self.loop.close()

    def both(self, call: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return tuple(
            self.loop.run_until_complete(getattr(bus, call)(*args, **kwargs)) for bus in (self.memory, self.redis)
        )

    def same(self, call: str, *args: Any, **kwargs: Any) -> Any:
        in_memory, on_redis = self.both(call, *args, **kwargs)
        assert in_memory == on_redis, call
        return in_memory

    def outputs(
        self, trace_id: str, kinds: list[str], feeds: tuple[Feed, ...], group: str = "", stash: str = ""
    ) -> tuple[Output, ...]:
        """Make outputs of work that may lead to what `feeds` says, and within a scope that it opens to its gather."""
        made: list[Output] = []
        scoped = feeds
        for position, kind in enumerate(kinds if len(self.runs.trace_of) < MANY else ()):
            name, _, mode = kind.replace(":", "-").partition("-")
            if self.spills and name in STARVING:
                name, mode = "first", "w"
            match name:
                case "open" if group:
                    scope = Join(GROUPS[position % 2], "gather", f"s{len(self.runs.trace_of)}", ("i",), gathers=True)
                    made.append(Open(scope, self.runs.frame(trace_id, feeds), feeds))
                    scoped = (*feeds, Feed(scope, "i"))
                case "gather" if gathers := [feed.join for feed in feeds if feed.join.gathers]:
                    made.append(Arrive(gathers[-1], "i", self.runs.frame(trace_id), ()))
                case "half":
                    half = scoped[int(mode) :: 2]
                    made.append(Emit(GROUPS[position % 2], self.runs.frame(trace_id, half), half))
                case "all" | "partial" | "first" | "timed":
                    frame = self.runs.frame(trace_id, FEEDS[name])
                    made.append(Arrive(JOINS[name], mode, frame, FEEDS[name]))
                case "park" if group:
                    item = Item((self.runs.frame(trace_id, feeds),), stash=stash)
                    made.append(Park(group, mode, item, feeds))
                case "lane" | "ingress":
                    lane = "pipe.n.k1" if mode == "1" else "pipe.n.k2"
                    frame = self.runs.frame(trace_id, scoped)
                    made.append(Enqueue(LANES[lane], lane, frame, name == "ingress", scoped))
                case "now" | "never" if group:
                    item = Item((self.runs.frame(trace_id, feeds),), stash=stash)
                    made.append(Schedule(group, 0 if name == "now" else NEVER_MS, item, "", feeds))
                case _:
                    made.append(Emit(GROUPS[position % 2], self.runs.frame(trace_id, scoped), scoped))
        return tuple(made)

    @rule(
        starts=st.lists(st.tuples(kinds_of_output.filter(bool), tickets_taken), min_size=1, max_size=4),
        expires=st.sampled_from((False, False, False, True)),
        most_open=st.sampled_from((0, 0, 2)),
    )
    def submit(self, starts: list[tuple[list[str], set[str]]], expires: bool, most_open: int) -> None:
        submissions: list[Submission] = []
        for kinds, lanes in starts:
            trace_id = f"{len(self.runs.tickets) + 1:032x}"
            tickets = tuple((lane, LANES[lane]) for lane in sorted(lanes))
            self.runs.tickets[trace_id] = tickets
            timeout_ms = 1 if expires and not submissions else 0  # one at a time: which goes first is the clock's
            outputs = self.outputs(trace_id, kinds, EVERYTHING)
            how = (timeout_ms, most_open, "", _keeps_events(trace_id))
            submissions.append(Submission(trace_id, "pipe", "v1", outputs, tickets, "", *how))
        answers = self.same("submit", submissions)
        assert answers == sorted(answers), "a new one comes before those that are too many"
        for refused in submissions[len(answers) - answers.count(Submitted.FULL) :]:
            del self.runs.tickets[refused.trace_id]
        assert self.same("submit", submissions[:1]) in ([Submitted.KNOWN], [Submitted.FULL])
        if expires:
            time.sleep(PAST_S)

    @rule(target=held, group=st.sampled_from(GROUPS))
    def read(self, group: str) -> Any:
        return multiple(*self.pairs(group, *self.both("read", group, "c", limit=1000, wait_s=0)))

    @rule(target=held, group=st.sampled_from(GROUPS))
    def claim(self, group: str) -> Any:
        return multiple(*self.pairs(group, *self.both("claim", group, "d", limit=1000, idle_s=0)))

    def pairs(self, group: str, in_memory: list[Delivery], on_redis: list[Delivery]) -> list[Held]:
        by_entry = {one.entry.items: one for one in on_redis}
        assert {one.entry.items: one.entry for one in in_memory} == {one.entry.items: one.entry for one in on_redis}
        found: list[Held] = []
        for one in sorted(
            in_memory, key=lambda delivery: delivery.entry.items[0].frames
        ):  # what spills comes in another order
            assert one.deliveries == by_entry[one.entry.items].deliveries
            traces = tuple(self.runs.trace_of[item.frames[0]] for item in one.entry.items)
            found.append(Held(group, one, by_entry[one.entry.items], traces))
            for item, trace_id in zip(one.entry.items, traces, strict=True):
                if item.stash:
                    self.same("stashed", trace_id, item.stash, offset=0, limit=100)
        return found

    @rule(target=done, one=consumes(held), ending=settlements)
    def commit(self, one: Held, ending: Settlement) -> Any:
        return self.settle(one, ending)

    @rule(target=done, endings=st.lists(settlements, min_size=1, max_size=8), rounds=st.integers(1, 3))
    def work(self, endings: list[Settlement], rounds: int) -> Any:
        """Do what workers do with all that is there: histories get deep only where much is committed."""
        ended: list[tuple[Held, list[Commit]]] = []
        for group in GROUPS * rounds:
            self.promote(group)
            entries = self.pairs(group, *self.both("read", group, "w", limit=1000, wait_s=0))
            ended += [self.settle(one, endings[number % len(endings)]) for number, one in enumerate(entries[:10])]
        return multiple(*ended[-3:])

    def settle(self, one: Held, ending: Settlement) -> tuple[Held, list[Commit]]:
        entry = one.in_memory.entry
        count = round(ending.share * len(entry.items)) if entry.lane else 1
        settled = tuple(self.settled(one, position, ending) for position in range(count))
        state = f"{len(self.runs.trace_of)}".encode() if entry.lane and count else None
        limit = min(ending.limit, 1) if self.spills else ending.limit
        commits = [
            Commit(0, delivery.id, settled, entry.items[count:], entry.lane, state, limit)
            for delivery in (one.in_memory, one.on_redis)
        ]
        self.commit_both(one.group, commits)
        return one, commits

    def settled(self, one: Held, position: int, ending: Settlement) -> Settled:
        trace_id, item = one.traces[position], one.in_memory.entry.items[position]
        tickets, told = self.runs.tickets[trace_id], self.told(one, trace_id)
        state = ending.states[position % len(ending.states)]
        answer = completed("T", self.runs.frame(trace_id))
        terminal: Terminal | None = {None: None, "completed": answer, "failed": FAILED, "expired": EXPIRED}[state]
        feeds = self.runs.feeds_of[item.frames[0]]
        if state in ("failed", "expired"):
            letter = b"letter" if state == "failed" else None
            return Settled(trace_id, item.ticket, (), terminal, letter, tickets, feeds, item.stash, *told)
        outputs = self.outputs(trace_id, ending.kinds, feeds, one.group, item.stash)
        if ending.again and one.in_memory.entry.lane:
            back = Item((self.runs.frame(trace_id, feeds),), item.ticket)
            outputs = (*outputs, Schedule(one.group, 0, back, one.in_memory.entry.lane, feeds))
        dead = b"letter" if state == "completed" and ending.limit == 1 else None  # a branch of the hop has failed
        return Settled(trace_id, item.ticket, outputs, terminal, dead, tickets, feeds, item.stash, *told)

    def told(self, one: Held, trace_id: str) -> tuple[bool, tuple[Told, ...]]:
        """Make what a hop tells of a run that keeps its events; two calls take turns, so some are done again."""
        if not _keeps_events(trace_id):
            return False, ()
        frame = self.runs.frame(trace_id)
        return True, (Told(trace_id, f"call{len(frame) % 2}", one.in_memory.turn, 0, (frame, b"end")),)

    @rule(pair=done)
    def commit_again(self, pair: tuple[Held, list[Commit]]) -> None:
        """A worker that did not hear the answer asks again, or one that lost its lease comes late."""
        answers = self.commit_both(pair[0].group, pair[1])
        assert set(answers) <= {"fenced"}

    def commit_both(self, group: str, commits: list[Commit]) -> list[str]:
        ((in_memory,),) = (self.loop.run_until_complete(self.memory.commit(group, commits[:1])),)
        ((on_redis,),) = (self.loop.run_until_complete(self.redis.commit(group, commits[1:])),)
        assert in_memory == on_redis
        return [str(answer) for answer in in_memory]

    def promote(self, group: str) -> None:
        time.sleep(PAST_S)  # what is due in a millisecond is due on either clock then
        self.same("promote", group, limit=1000)

    @rule(pick=st.integers(0, 100))
    def cancel(self, pick: int) -> None:
        if self.runs.tickets:
            trace_id = list(self.runs.tickets)[pick % len(self.runs.tickets)]
            self.same("end", trace_id, cancelled())

    @rule(pick=st.integers(0, 100), name=st.sampled_from("xy"))
    def signal(self, pick: int, name: str) -> None:
        if self.runs.tickets:
            trace_id = list(self.runs.tickets)[pick % len(self.runs.tickets)]
            self.same("signal", trace_id, name, self.runs.frame(trace_id), GROUPS)

    @rule(pick=st.integers(0, 100), name=st.sampled_from("xy"))
    def remember(self, pick: int, name: str) -> None:
        if self.runs.tickets:
            trace_id = list(self.runs.tickets)[pick % len(self.runs.tickets)]
            self.same("remember", trace_id, name, self.runs.frame(trace_id))
            self.same("recall", trace_id, name)

    @rule()
    def expire(self) -> None:
        self.same("expire", limit=1000)

    @rule()
    def listen(self) -> None:
        in_memory, on_redis = self.both("abandoned", f"l{len(self.runs.trace_of)}-{id(self)}", wait_s=0)
        assert sorted(in_memory) == sorted(on_redis)
        self.both("unlisten", f"l{len(self.runs.trace_of)}-{id(self)}")

    @rule()
    def replies(self) -> None:
        """Delivered at once: on Redis an event that is left would be handed out again after its reader's lease."""
        events = [sorted(events, key=lambda e: e.trace_id) for events in self.both("read_replies", "r", **ALL_THERE_IS)]
        in_memory, on_redis = [[(event.trace_id, event.terminal) for event in found] for found in events]
        assert in_memory == on_redis
        buses: tuple[Bus, ...] = (self.memory, self.redis)
        for bus, found in zip(buses, events, strict=True):
            delivered = self.loop.run_until_complete(bus.deliver([(event, ()) for event in found]))
            assert delivered == len(found)

    @invariant()
    def runs_are_the_same(self) -> None:
        for trace_id in getattr(self, "runs", Runs()).tickets:
            in_memory, on_redis = self.both("view", trace_id)
            assert (in_memory.terminal, in_memory.in_flight) == (on_redis.terminal, on_redis.in_flight)
            assert in_memory.waiting == on_redis.waiting
            assert in_memory.keeps_events == on_redis.keeps_events == _keeps_events(trace_id)
            assert self.events(self.memory, trace_id) == self.events(self.redis, trace_id)
            assert self.memory._ledger.runs[trace_id].feeders == self.feeders_on_redis(trace_id)

    @invariant()
    def open_runs_are_counted(self) -> None:
        if hasattr(self, "memory"):
            runs = self.memory._ledger.runs.values()
            assert self.same("load", "pipe").open == sum(run.is_counted and run.state is RunState.OPEN for run in runs)

    def events(self, bus: Bus, trace_id: str) -> list[tuple[Any, ...]]:
        """What is kept of a run that keeps its events; of others nothing, which needs no look each time."""
        if not _keeps_events(trace_id):
            return []
        found = self.loop.run_until_complete(bus.events({trace_id: 0}, **ALL_THERE_IS)).get(trace_id, [])
        return [(event.seq, event.blob, event.replaced, event.terminal) for event in found]

    def feeders_on_redis(self, trace_id: str) -> dict[str, int]:
        server = self.redis._server
        _, joins = server.keys[0].run(trace_id)
        fields: Any = self.loop.run_until_complete(server.connections.commands.hgetall(joins))
        return {name[1:].decode(): int(count) for name, count in fields.items() if name.startswith(b"c")}

    @invariant()
    def every_in_flight_count_is_conserved(self) -> None:
        if not hasattr(self, "memory"):
            return
        found: Counter[str] = Counter()
        for stream in self.memory._streams.values():
            found.update(self.runs.trace_of[i.frames[0]] for entry in stream._entries.values() for i in entry.items)
        for due in self.memory._schedules.values():
            found.update(trace_id for _, _, trace_id, what in due if isinstance(what, Schedule))
        for lane in self.memory._ledger.lanes.values():
            found.update(self.runs.trace_of[item.frames[0]] for item in lane.parked.values())
        for trace_id, run in self.memory._ledger.runs.items():
            assert run.in_flight == found[trace_id] + run.waiting + run.suspended, trace_id
            waiting = [arrivals for arrivals in run.joins.values() if not arrivals.has_fired]
            openings = sum(bool(arrivals.opening) for arrivals in waiting)
            assert run.waiting == openings + sum(len(one.by_slot) + len(one.gathered) for one in waiting), trace_id

    @invariant()
    def no_lane_stands_still(self) -> None:
        """What is ready at the head of a lane has been handed out."""
        for lane in self.memory._ledger.lanes.values() if hasattr(self, "memory") else ():
            head = next(iter(lane.tickets), None)
            assert head is None or head not in lane.parked


def _keeps_events(trace_id: str) -> bool:
    return int(trace_id, 16) % 3 == 1


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_ledger_and_the_lua_are_the_same_algebra(redis_url: str) -> None:
    LedgerAndLua.url = redis_url
    machine: type[RuleBasedStateMachine] = LedgerAndLua
    machine.TestCase.settings = settings(
        max_examples=100, stateful_step_count=50, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    machine.TestCase("runTest").runTest()
