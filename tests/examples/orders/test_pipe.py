"""The orders example: its answers, its crashes, and the same on Redis."""

import pytest
from examples.orders.model import Approval, Declined, Line, Order, Receipt
from examples.orders.pipe import pipe

from headrace import local
from headrace.testing.harness import Harness
from headrace.testing.wait import wait_until

TEA = Order("1", "eve", (Line("tea", 2), Line("unicorn", 1), Line("coffee", 1)))
NOTHING = Order("2", "eve", (Line("unicorn", 1),))
FAVOURED = Order("3", "ada", (Line("coffee", 1), Line("tea", 1)))
LARGE = Order("4", "eve", (Line("samovar", 2),))


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (TEA, Receipt(("tea", "coffee"), 1600)),
        (NOTHING, Receipt((), 0)),
        (FAVOURED, Receipt(("coffee", "tea"), 1035)),
    ],
)
async def test_an_order_gets_its_receipt(headrace: Harness, order: Order, answer: Receipt) -> None:
    assert await headrace.run(pipe, order) == answer


@pytest.mark.parametrize(("granted", "answer"), [(True, Receipt(("samovar",), 90_000)), (False, Declined(90_000))])
async def test_a_large_order_waits_for_its_approval(granted: bool, answer: Receipt | Declined) -> None:
    async with local(pipe.compile()) as client:
        trace_id = await client.submit(LARGE)

        async def is_parked() -> bool:
            view = await client.view(trace_id)
            return view is not None and view.terminal is None and view.in_flight == 1 and view.waiting == 0

        await wait_until(is_parked, description="the order waits for its approval")
        assert await client.signal(trace_id, "approval", Approval(granted)) is True
        assert await client.signal(trace_id, "approval", Approval(granted)) is False
        terminal = await client.wait(trace_id)
        assert client.result(trace_id, terminal) == answer


async def test_orders_survive_a_crash_at_every_point(headrace: Harness) -> None:
    crashes = await headrace.survives(pipe, TEA)
    assert len(crashes) >= 4 * 9


@pytest.mark.slow
async def test_orders_are_answered_alike_in_memory_and_on_redis(headrace: Harness, redis_url: str) -> None:
    await headrace.parity(pipe, [TEA, NOTHING, FAVOURED], redis_url=redis_url)
