"""Random pipes through the whole of it: every schedule, crash, duplicate and cancel leaves what the pipe's description
says, on both buses alike.

A Hypothesis machine owns the schedule. Workers are driven by hand: what they read, run, commit, commit again or lose
is a rule each. When a history is over all work is done, in a random order, and every run is compared with what an
interpreter that knows nothing of Headrace allows. `HEADRACE_PROPERTY_EXAMPLES` sets the number of histories.
"""

import asyncio
import os
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.property.over_the_wire import MemoryBusOverTheWire
from tests.property.random_plans.both import BothBuses
from tests.property.random_plans.history import Finished, Held, History
from tests.property.random_plans.plans import plans
from tests.property.random_plans.shapes import Plan

from headrace.bus.redis.bus import RedisBus
from headrace.ledger.values import Answer

EXAMPLES = int(os.environ.get("HEADRACE_PROPERTY_EXAMPLES", "100"))
MOST_RUNS = 12
T = TypeVar("T")

starts_of_runs = st.lists(st.tuples(st.sampled_from("xy"), st.integers(0, 255)), min_size=1, max_size=4)
picks = st.integers(0, 11)  # a number of something, of which there may be fewer
seldom = st.integers(0, 9).map(lambda drawn: drawn == 9)


class RandomPlans(RuleBasedStateMachine):
    url = ""

    held = Bundle("held")
    finished = Bundle("finished")
    committed = Bundle("committed")

    @initialize(
        plan=plans(),
        batch=st.sampled_from((1, 2, 64)),
        seed=st.integers(0, 2**32 - 1),
        starts=starts_of_runs,
    )
    def open_buses(self, plan: Plan, batch: int, seed: int, starts: list[tuple[str, int]]) -> None:
        for node in plan.nodes:
            note(str(node))
        self.is_broken = False
        self.loop = asyncio.new_event_loop()
        namespace = f"plans-{uuid4().hex}"
        self.redis = self.open_redis(plan, namespace, batch)
        self.random = Random(seed)
        buses = BothBuses(MemoryBusOverTheWire(lane_batch=batch), self.redis, namespace)
        self.history = History(plan, buses)
        self.do(self.history.begin())
        self.do(self.history.submit(starts, expires=False))

    def open_redis(self, plan: Plan, namespace: str, batch: int) -> RedisBus:
        """Open the bus on Redis for one history."""
        return RedisBus(self.url, namespace=namespace, lane_batch=batch)

    def teardown(self) -> None:
        if not hasattr(self, "history"):
            return
        try:
            if not self.is_broken:
                self.do(self.history.work_off(self.random))
                self.do(self.history.judge())
        finally:
            self.loop.run_until_complete(self.history.end())
            self.loop.run_until_complete(self.redis.aclose())
            self.loop.close()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Do something; what comes after a failure is not looked at."""
        try:
            return self.loop.run_until_complete(what)
        except BaseException:
            self.is_broken = True
            raise

    @rule(starts=starts_of_runs, expires=seldom)
    def submit(self, starts: list[tuple[str, int]], expires: bool) -> None:
        if len(self.history.runs) < MOST_RUNS:
            self.do(self.history.submit(starts[:1] if expires else starts, expires=expires))

    @rule(target=held, call=st.sampled_from(("read", "read", "claim")), group=picks, worker=st.integers(0, 1))
    def take(self, call: str, group: int, worker: int) -> Any:
        """Read, or claim what others hold, who then are zombies."""
        return multiple(*self.do(self.history.take(call, self.a_group(group), self.history.workers[worker])))

    @rule(target=finished, one=consumes(held))
    def run(self, one: Held) -> Finished:
        return self.do(self.history.run(one))

    @rule(target=finished, one=held)
    def run_and_keep(self, one: Held) -> Finished:
        """Run an entry that its worker, or another, runs once more."""
        return self.do(self.history.run(one))

    @rule(target=finished, one=held, is_poison=seldom)
    def give_up(self, one: Held, is_poison: bool) -> Any:
        return self.history.give_up(one) if is_poison else multiple()

    @rule(target=committed, one=consumes(finished))
    def commit(self, one: Finished) -> Finished:
        self.do(self.history.commit(one))
        return one

    @rule(one=committed)
    def commit_again(self, one: Finished) -> None:
        assert set(self.do(self.history.commit(one))) <= {Answer.FENCED}

    @rule(target=committed, group=picks, worker=st.integers(0, 1), most=st.integers(1, 20))
    def work(self, group: int, worker: int, most: int) -> Any:
        """Do what a worker does with all that is there: histories get deep only where much is committed."""
        self.do(self.history.promote(self.a_group(group)))
        entries = self.do(self.history.take("read", self.a_group(group), self.history.workers[worker]))
        done = [self.do(self.history.run(one)) for one in entries[:most]]
        for one in done:
            self.do(self.history.commit(one))
        return multiple(*done[-2:])

    @rule(chore=st.sampled_from(("promote", "signal", "listen", "expire")), pick=picks)
    def look_after(self, chore: str, pick: int) -> None:
        match chore:
            case "promote":
                self.do(self.history.promote(self.a_group(pick)))
            case "signal":
                self.do(self.history.signal(self.a_run(pick)))
            case "listen":
                self.do(self.history.listen())
            case _:
                self.do(self.history.expire())

    @rule(pick=picks, is_meant=seldom)
    def cancel(self, pick: int, is_meant: bool) -> None:
        if is_meant:
            self.do(self.history.cancel(self.a_run(pick)))

    @invariant()
    def runs_are_the_same_and_conserved(self) -> None:
        if hasattr(self, "history"):
            self.do(self.history.check())

    def a_group(self, pick: int) -> str:
        return self.history.groups[pick % len(self.history.groups)]

    def a_run(self, pick: int) -> str:
        traces = list(self.history.runs)
        return traces[pick % len(traces)]


@pytest.mark.slow
@pytest.mark.timeout(0 if "HEADRACE_PROPERTY_EXAMPLES" in os.environ else 240)
def test_every_schedule_of_a_random_plan_comes_to_what_its_description_says(redis_url: str) -> None:
    RandomPlans.url = redis_url
    machine: type[RuleBasedStateMachine] = RandomPlans
    machine.TestCase.settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        phases=(Phase.generate,),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.TestCase("runTest").runTest()
