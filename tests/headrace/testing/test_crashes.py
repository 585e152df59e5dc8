"""Crash trials: a crash at each point of each hop, found out where a pipe does not bear it."""

from collections import Counter

import pytest
from tests.headrace.testing import pipes
from tests.headrace.testing.pipes import Order, Place, Receipt

from headrace import NodeStarted, Pipe, Placement
from headrace.testing.crashes import survives
from headrace.testing.record import Crash, CrashPoint
from headrace.testing.trial import in_memory, try_out


async def test_each_hop_is_crashed_at_each_point_once() -> None:
    crashes = await survives(pipes.orders(), [Order(1)])
    assert set(crashes) == {Crash(point, 1, node, 1) for point in CrashPoint for node in ("check", "charge")}
    assert len(crashes) == 8


async def test_retries_and_fan_outs_have_a_hop_for_each_call() -> None:
    crashes = await survives(pipes.fan_out(), [Order(1)], points=[CrashPoint.AFTER_COMMIT])
    assert {(crash.node, crash.call) for crash in crashes} == {
        ("split", 1),
        ("number", 1),
        ("number", 2),
        ("number", 3),
    }


async def test_keyed_state_survives_where_messages_of_one_key_follow_each_other() -> None:
    assert len(await survives(pipes.by_ingress(), [Order(1), Order(2), Order(3)])) == 3 * 2 * 4


async def test_a_run_that_fails_survives_when_it_fails_alike() -> None:
    assert len(await survives(pipes.failing(), [Order(1)])) == 4


@pytest.mark.parametrize(
    ("point", "calls"),
    [
        (CrashPoint.AFTER_READ, 1),
        (CrashPoint.IN_NODE, 2),
        (CrashPoint.BEFORE_COMMIT, 2),
        (CrashPoint.AFTER_COMMIT, 1),
    ],
)
async def test_a_node_is_called_again_where_its_call_was_lost_and_only_there(point: CrashPoint, calls: int) -> None:
    plan = pipes.orders().compile()
    crash = Crash(point, 1, "charge" if point is CrashPoint.IN_NODE else "check", 1)
    trial = await try_out(in_memory(plan, (tuple(plan.groups),)), [Order(1)], crash=crash)
    started = Counter(event.node for event in trial.record.events if isinstance(event, NodeStarted))
    assert trial.record.has_crashed
    assert trial.answers == (Receipt(1),)
    assert started[crash.node] == calls


async def test_a_node_that_counts_its_calls_is_found_out_and_named() -> None:
    charges = Counter[int]()
    with pytest.raises(AssertionError) as failed:
        await survives(pipes.charging(charges), [Order(7)], reset=charges.clear)
    text = str(failed.value)
    first = (
        "pipe 'charging' does not survive a crash in the node, before its outputs, "
        "at the hop of node 'charge', call 1 for message 1\n"
        "  the answer to message 1:\n"
        "    without the crash: Receipt(id=7, charges=1)\n"
        "    with the crash: Receipt(id=7, charges=2)\n"
        "  node 'charge', the first to differ, took Approved(id=7) and gave:\n"
    )
    assert text.startswith(first)
    assert "make what it does elsewhere idempotent" in text


async def test_the_points_of_a_failure_are_those_after_the_node_was_called() -> None:
    charges = Counter[int]()
    pipe = pipes.charging(charges)
    safe = (CrashPoint.AFTER_READ, CrashPoint.AFTER_COMMIT)
    assert len(await survives(pipe, [Order(7)], reset=charges.clear, points=safe)) == 4
    with pytest.raises(AssertionError, match="does not survive a crash before its commit, at the hop of node 'charge'"):
        await survives(pipe, [Order(7)], reset=charges.clear, points=[CrashPoint.BEFORE_COMMIT])


async def test_a_node_that_remembers_from_run_to_run_is_told_from_one_that_a_crash_breaks() -> None:
    with pytest.raises(AssertionError) as failed:
        await survives(pipes.charging(Counter()), [Order(7)])
    text = str(failed.value)
    assert text.startswith("pipe 'charging' gives other answers each time, without any crash\n")
    assert "node 'charge', the first to differ" in text
    assert "reset=" in text


async def test_what_must_be_the_same_can_be_said_and_take_in_effects_elsewhere() -> None:
    charges = Counter[int]()
    pipe = pipes.charging(charges)
    await survives(pipe, [Order(7)], reset=charges.clear, compare=lambda answer: answer.id)
    with pytest.raises(AssertionError, match=r"without the crash: \(7, 1\)\n +with the crash: \(7, 2\)"):
        await survives(pipe, [Order(7)], reset=charges.clear, compare=lambda answer: (answer.id, charges.total()))


async def test_nodes_of_one_group_are_done_again_together() -> None:
    charges = Counter[int]()
    together = Placement(default="all")
    with pytest.raises(AssertionError, match="at the hop of node 'check'"):
        await survives(
            pipes.charging(charges),
            [Order(7)],
            placement=together,
            reset=charges.clear,
            points=[CrashPoint.BEFORE_COMMIT],
        )


async def test_a_crash_starts_the_process_anew() -> None:
    started: list[str] = []
    pipe = Pipe("starting")

    @pipe.on_startup
    def begin() -> None:
        started.append("begin")

    @pipe.node
    async def number(_: Order) -> Place:
        return Place(1)

    assert len(await survives(pipe, [Order(1)], points=[CrashPoint.AFTER_READ])) == 1
    assert len(started) == 2 + 2  # two trials without a crash, and one whose process is replaced
