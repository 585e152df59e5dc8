"""Random plans in the in-process engine: every run comes to what its description says, as it does on the buses (I6)."""

from collections import Counter
from contextlib import suppress
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.property.random_plans.pipes import HOP, KINDS, NUMBERS, Go, Hop, compile_plan
from tests.property.random_plans.plans import plans
from tests.property.random_plans.shapes import Plan
from tests.property.random_plans.worlds import EMPTY, Outcome, worlds

from headrace.errors import RunError
from headrace.kernel.engine.engine import Engine
from headrace.kernel.engine.options import RunOptions
from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed, NodeStarted, RunFinished
from headrace.ledger.values import RunState


@pytest.mark.slow
@settings(deadline=None, max_examples=600, database=None, suppress_health_check=list(HealthCheck))
@given(
    plan=plans(),
    key=st.sampled_from("xy"),
    value=st.integers(0, 255),
    is_read=st.booleans(),
    timeout_s=st.sampled_from((None, 20.0)),
)
def test_a_run_of_a_random_plan_comes_to_what_its_description_says(
    plan: Plan, key: str, value: int, is_read: bool, timeout_s: float | None
) -> None:
    for node in plan.nodes:
        note(str(node))
    hop = Hop(frozenset())
    reset = HOP.set(hop)
    try:
        events = anyio.run(_run, plan, KINDS[0](key, value), is_read, timeout_s)
    finally:
        HOP.reset(reset)
    last = events[-1]
    assert isinstance(last, RunFinished)
    _judge_events(events)
    outcome = _outcome(last)
    possible = worlds(plan, value)
    ended = {event.invocation_id for event in events if isinstance(event, NodeEnded)}  # its outputs had a way, too
    calls = Counter((call.node, call.taken) for call in hop.calls if call.invocation in ended)
    assert possible is None or any(world.allows(calls, outcome) for world in possible), (
        f"came to {outcome} by {calls}; the description allows {possible}"
    )


async def _run(plan: Plan, message: object, is_read: bool, timeout_s: float | None) -> list[KernelEvent]:
    """Run a plan, where its events are read in a task of its own; with a time-out it goes another way."""
    waits = any(node.waits for node in plan.nodes)
    options = RunOptions(signals={"go": Go()} if waits else {}, timeout_s=timeout_s)
    engine, heard = Engine(compile_plan(plan)), list[KernelEvent]()
    if is_read:
        return [event async for event in engine.events(message, options)]
    with suppress(RunError):
        await engine.run(message, structs.replace(options, observers=(heard.append,)))
    return heard


def _judge_events(events: list[KernelEvent]) -> None:
    """Check what holds of every run: numbers without a gap, one last event, and no call that is told but halves."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [type(event) for event in events].count(RunFinished) == 1
    open_calls: Counter[tuple[str, int]] = Counter()
    for event in events:
        call = event.invocation_id, event.attempt
        if isinstance(event, NodeStarted):
            open_calls[call] += 1
        elif isinstance(event, NodeEnded | NodeFailed):
            open_calls[call] -= 1
            assert open_calls[call] == 0


def _outcome(last: RunFinished) -> Outcome:
    if last.status is RunState.COMPLETED:
        result: Any = last.result
        return EMPTY if result is None else ("completed", "", (NUMBERS[type(result)], result.value))
    assert last.failure is not None
    return last.failure.kind.value, last.failure.node, None
