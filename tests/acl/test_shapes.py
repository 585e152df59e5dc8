"""Every way in which a commit writes elsewhere, each group of its pipe a user of its own: nothing is refused."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct
from tests.support.acl import delete_users, make_users, refusals

from headrace import Drop, Gather, Partial, Pipe, Retry, Signal, State, Suspend, To
from headrace.bus.redis.acl.users import GATEWAY, REPLY, worker
from headrace.bus.redis.bus import RedisBus
from headrace.errors import BusError, RunFailedError
from headrace.ledger.level import Level
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.submissions import Options
from headrace.wire.envelope import Framing
from headrace.wire.trace import partition_of

pytestmark = pytest.mark.slow

MANY = 1200  # outputs of one call, which are recorded in parts


class Ask(Struct):
    id: str
    count: int = 0


class Left(Struct):
    id: str


class Right(Struct):
    id: str


class Passed(Struct):
    id: str


class End(Struct):
    id: str


class Seen(Struct):
    count: int = 0


@asynccontextmanager
async def deployed(pipe: Pipe, url: str, namespace: str, *, partitions: int = 1) -> AsyncGenerator[Client]:
    """Run a pipe, each of its services over a bus of its own."""
    plan = pipe.compile()
    users = make_users(url, plan, namespace, partitions=partitions)
    refusals(url)
    buses = {service: RedisBus(own, namespace=namespace, partitions=partitions) for service, own in users.items()}
    try:
        async with AsyncExitStack() as parts:
            for group in plan.groups:
                await parts.enter_async_context(consuming(plan, buses[worker(group)], Framing(), (group,)))
            await parts.enter_async_context(coordinating(buses[REPLY]))
            yield await parts.enter_async_context(connected(plan, buses[GATEWAY], Framing(), partitions=partitions))
        assert [told for told in refusals(url) if told.startswith(namespace)] == []
    finally:
        for bus in buses.values():
            await bus.aclose()
        delete_users(url, namespace, users)


async def result(pipe: Pipe, url: str, namespace: str, message: Any) -> Any:
    async with deployed(pipe, url, namespace) as client:
        return await client.run(message)


async def test_a_branch_that_ends_completes_a_join_that_it_would_have_come_to_by_another_group(
    redis_url: str, namespace: str
) -> None:
    pipe = Pipe("ending")

    @pipe.node(group="first")
    async def left(ask: Ask) -> Left:
        return Left(ask.id)

    @pipe.node(group="second")
    async def right(ask: Ask) -> Right | Drop:
        return Drop()

    @pipe.node(group="third")
    async def between(right: Right) -> Passed:
        return Passed(right.id)

    @pipe.node(group="fourth")
    async def meet(left: Left, passed: Partial[Passed]) -> End:
        return End(f"{left.id} {passed}")

    assert await result(pipe, redis_url, namespace, Ask("1")) == End("1 None")


async def test_a_wait_that_another_group_began_ends_by_its_alarm(redis_url: str, namespace: str) -> None:
    pipe = Pipe("alarm")

    @pipe.node(group="first")
    async def left(ask: Ask) -> Left:
        return Left(ask.id)

    @pipe.node(group="second", retry=Retry(attempts=50, backoff=30, max_backoff=30))
    async def right(ask: Ask) -> Right:
        raise RuntimeError

    @pipe.node(group="third", barrier_timeout=0.3)
    async def meet(left: Left, right: Right) -> End:
        return End(left.id)

    with pytest.raises(RunFailedError, match="barrier_timeout"):
        await result(pipe, redis_url, namespace, Ask("1"))


async def test_a_fan_out_in_parts_is_gathered_by_another_group(redis_url: str, namespace: str) -> None:
    pipe = Pipe("parts")

    @pipe.node(group="first")
    async def split(ask: Ask) -> list[Left]:
        return [Left(str(number)) for number in range(ask.count)]

    @pipe.node(group="second")
    async def each(left: Left) -> Right:
        return Right(left.id)

    @pipe.node(group="third")
    async def gather(rights: Gather[Right]) -> End:
        return End(str(len(rights)))

    assert await result(pipe, redis_url, namespace, Ask("1", MANY)) == End(str(MANY))


async def test_a_run_that_fails_beside_a_keyed_node_lets_its_lane_move_on(redis_url: str, namespace: str) -> None:
    pipe = Pipe("lane")

    @pipe.node(group="first")
    async def pass_on(ask: Ask) -> Left | Drop:
        return Left(ask.id) if ask.count else Drop()

    @pipe.node(group="keyed", key="id", order="ingress")
    async def keep(left: Left, seen: State[Seen]) -> End:
        seen.count += 1
        return End(str(seen.count))

    @pipe.node(group="beside")
    async def check(ask: Ask) -> Drop:
        if not ask.count:
            raise RuntimeError
        return Drop()

    async with deployed(pipe, redis_url, namespace) as client:
        failed, answered = await client.ask_all([Ask("1"), Ask("1", 1)])
        assert client.result(answered[0], await answered[1]) == End("1")
        with pytest.raises(RunFailedError):
            client.result(failed[0], await failed[1])


async def test_retries_delays_and_signals_come_back_to_their_group(redis_url: str, namespace: str) -> None:
    pipe = Pipe("waits", entry=Ask)
    tries: list[str] = []

    @pipe.node(group="first", retry=Retry(attempts=3, backoff=0.01))
    async def flaky(ask: Ask) -> To:
        tries.append(ask.id)
        if len(tries) < 3:
            raise RuntimeError
        return To("wait", Left(ask.id))

    @pipe.node(group="second")
    async def wait(left: Left, go: Signal[Right]) -> End | Suspend:
        return End(go.id) if go else Suspend(until="go")

    async with deployed(pipe, redis_url, namespace) as client:
        trace_id = await client.submit(Ask("1"))
        assert await client.signal(trace_id, "go", Right("gone"))
        assert client.result(trace_id, await client.wait(trace_id)) == End("gone")
    assert len(tries) == 3


async def test_a_cancelled_run_and_one_whose_time_has_passed_end_in_every_group(redis_url: str, namespace: str) -> None:
    pipe = Pipe("stopped")

    @pipe.node(group="first")
    async def pass_on(ask: Ask) -> Left:
        return Left(ask.id)

    @pipe.node(group="second")
    async def wait(left: Left, go: Signal[Right]) -> End | Suspend:
        return End(go.id) if go else Suspend(until="go")

    async with deployed(pipe, redis_url, namespace) as client:
        cancelled = await client.submit(Ask("1"))
        assert await client.cancel(cancelled)
        expired = await client.submit(Ask("2"), Options(timeout_s=0.2))
        assert (await client.wait(expired)).state == "expired"
        assert (await client.wait(cancelled)).state == "cancelled"


async def test_every_partition_is_open_to_those_whose_it_is(redis_url: str, namespace: str) -> None:
    pipe = Pipe("spread")

    @pipe.node(group="first")
    async def pass_on(ask: Ask) -> Left:
        return Left(ask.id)

    @pipe.node(group="second")
    async def finish(left: Left) -> End:
        return End(left.id)

    async with deployed(pipe, redis_url, namespace, partitions=12) as client:
        asked = await client.ask_all([Ask(str(number)) for number in range(100)])
        ends = [client.result(trace_id, await future) for trace_id, future in asked]
    assert ends == [End(str(number)) for number in range(100)]
    assert len({partition_of(trace_id) for trace_id, _ in asked}) > 10


async def test_a_worker_looks_at_the_level_of_its_own_group_and_of_no_other(redis_url: str, namespace: str) -> None:
    pipe = Pipe("levels")

    @pipe.node(group="first")
    async def begin(ask: Ask) -> Left:
        return Left(ask.id)

    @pipe.node(group="second")
    async def finish(left: Left) -> End:
        return End(left.id)

    plan = pipe.compile()
    users = make_users(redis_url, plan, namespace)
    bus = RedisBus(users[worker("first")], namespace=namespace)
    try:
        assert await bus.level(plan.stream("first")) == Level()
        with pytest.raises(BusError):
            await bus.level(plan.stream("second"))
    finally:
        await bus.aclose()
        delete_users(redis_url, namespace, users)
