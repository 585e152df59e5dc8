"""What random plans have found, each as one plain run."""

import pytest
from msgspec import Struct

from headrace.errors import RunFailedError
from headrace.graph.pipe import Pipe
from headrace.runtime.local import local


class Number(Struct, frozen=True):
    value: int


class Steps(Struct, frozen=True):
    count: int


class Failing(Struct, frozen=True):
    """What a node fails with."""


async def test_a_loop_at_the_entry_is_bound_by_its_visits() -> None:
    called: list[int] = []
    pipe = Pipe("loops", entry=Number)

    @pipe.node(max_visits=2)
    async def step(number: Number) -> Number | Steps:
        called.append(number.value)
        return Number(number.value + 1)

    async with local(pipe.compile()) as client:
        with pytest.raises(RunFailedError):
            await client.run(Number(1), timeout_s=5)
    assert called == [1, 2]


async def test_a_result_before_a_failing_branch_ends_the_run_whatever_the_placement() -> None:
    pipe = Pipe("placed", entry=Number)

    @pipe.node
    async def answer(number: Number) -> list[Steps | Failing]:
        return [Steps(number.value), Failing()]

    @pipe.node
    async def fail(failing: Failing) -> None:
        raise ValueError

    outcomes: set[str] = set()
    for group in ("main", "other"):
        async with local(pipe.compile(placement={"fail": group})) as client:
            try:
                await client.run(Number(1), timeout_s=5)
                outcomes.add("completed")
            except RunFailedError:
                outcomes.add("failed")
    assert outcomes == {"completed"}
