"""The harness: a run in memory whose back-offs take no time, and what it leaves to look at."""

import time

import anyio
import pytest
from tests.headrace.testing import pipes
from tests.headrace.testing.pipes import Order, Receipt

from headrace import NodeEnded, NodeFailed, Pipe, RunFailedError
from headrace.testing.harness import Harness, SyncHarness
from headrace.testing.redis_profile import redis_profile
from headrace.testing.trial import UnansweredError


@pytest.fixture
def harness() -> Harness:
    return Harness(lambda url: redis_profile(url or ""))


async def test_a_run_gives_its_answer_and_the_events_of_its_nodes(harness: Harness) -> None:
    assert await harness.run(pipes.orders(), Order(7)) == Receipt(7)
    assert [event.node for event in harness.events if isinstance(event, NodeEnded)] == ["check", "charge"]
    assert harness.dead_letters == []


async def test_a_run_without_a_result_answers_none(harness: Harness) -> None:
    assert await harness.run(pipes.orders(), Order(0)) is None


def test_a_test_that_is_not_asynchronous_runs_a_pipe_too(harness: Harness) -> None:
    sync = SyncHarness(harness)
    assert sync.run(pipes.orders(), Order(7)) == Receipt(7)
    assert sync.run_all(pipes.orders(), [Order(1), Order(0)]) == [Receipt(1), None]
    assert len(sync.survives(pipes.orders(), Order(7))) == 8
    assert len([event for event in sync.events if isinstance(event, NodeEnded)]) == 2 + 3


async def test_a_run_that_fails_raises_what_a_client_gets_and_leaves_a_dead_letter(harness: Harness) -> None:
    with pytest.raises(RunFailedError, match=r"step in node 'charge', source user_code \(ZeroDivisionError\)$"):
        await harness.run(pipes.failing(), Order(1))
    assert [(letter.group, letter.failure.error) for letter in harness.dead_letters] == [("main", "ZeroDivisionError")]


async def test_several_messages_are_answered_in_their_order_and_a_failure_is_an_answer(harness: Harness) -> None:
    answers = await harness.run_all(pipes.orders(), [Order(1), Order(0), Order(3)])
    assert answers == [Receipt(1), None, Receipt(3)]
    (failed,) = await harness.run_all(pipes.failing(), [Order(1)])
    assert isinstance(failed, RunFailedError)


async def test_back_offs_take_no_time(harness: Harness) -> None:
    started_s = time.monotonic()
    assert await harness.run(pipes.retrying(backoff_s=3600.0), Order(1)) == Receipt(1, charges=3)
    assert time.monotonic() - started_s < 5
    assert len([event for event in harness.events if isinstance(event, NodeFailed)]) == 2


async def test_a_run_that_does_not_end_in_time_says_which_message(harness: Harness) -> None:
    pipe = Pipe("slow")

    @pipe.node
    async def sleep(order: Order) -> Receipt:
        await anyio.sleep_forever()
        return Receipt(order.id)

    with pytest.raises(UnansweredError, match=r"^pipe 'slow' gives no answer to message 1 within 0\.05 s$"):
        await harness.run(pipe, Order(1), timeout_s=0.05)


async def test_an_error_of_a_start_up_hook_comes_out_as_it_is(harness: Harness) -> None:
    pipe = pipes.orders()

    @pipe.on_startup
    def connect() -> None:
        raise ConnectionError("the database")

    with pytest.raises(ConnectionError, match=r"^the database$"):
        await harness.run(pipe, Order(1))
