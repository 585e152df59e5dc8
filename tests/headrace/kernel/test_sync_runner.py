"""The blocking runner: the same commits as the asynchronous one, its own loop closed whatever happened."""

import threading

import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, FixedClock, Shelf, bench, delivery_of, entry_items

from headrace.graph.options import Drop, Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.events import KernelEvent
from headrace.kernel.sync_runner import SyncRunner
from headrace.ledger.values import Commit, Delivery, Item
from headrace.wire.envelope import Framing


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def mixed(log: list[str]) -> Pipe:
    pipe = Pipe("mixed")

    @pipe.on_startup
    async def start() -> None:
        log.append("start")

    @pipe.on_shutdown
    def stop() -> None:
        log.append("stop")

    @pipe.node(concurrency=2)
    def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(ask.number)]

    @pipe.node(retry=Retry(backoff=1.0, jitter=0.0, on=(ConnectionError,)), concurrency=1)
    async def answer(part: Part) -> Answer | Drop:
        match part.number:
            case 0:
                return Answer(1)
            case 1:
                raise ConnectionError
            case 2:
                return Drop()
            case _:
                raise ValueError

    return pipe


async def test_both_runners_give_the_same_commits() -> None:
    framing = Framing()
    deliveries: list[Delivery] = []
    async with bench(mixed([])) as on:
        deliveries = [on.deliver(Ask(number), trace_id=TRACE) for number in range(5)]
        deliveries.append(delivery_of([Item((b"\xff",))]))
        expected = [await on.runner.run(delivery) for delivery in deliveries]
    given: list[Commit] = []

    def run_blocking() -> None:
        with SyncRunner(on.plan, "main", framing=framing, store=Shelf(), clock=FixedClock()) as runner:
            given.extend(runner.run(delivery) for delivery in deliveries)

    thread = threading.Thread(target=run_blocking)
    thread.start()
    thread.join()

    assert given == expected


def test_entering_calls_the_start_up_hooks_and_leaving_the_shutdown_hooks() -> None:
    log: list[str] = []
    heard: list[KernelEvent] = []
    plan = mixed(log).compile()
    with SyncRunner(plan, "main", framing=Framing(), store=Shelf(), observers=(heard.append,)) as runner:
        log.append("body")
        runner.run(delivery_of(entry_items(plan, Ask(1), Framing())))
    assert log == ["start", "body", "stop"]
    assert len(heard) == 4


def test_the_shutdown_hooks_run_though_the_body_failed_and_its_error_comes_out() -> None:
    log: list[str] = []
    with (
        pytest.raises(RuntimeError, match="body"),
        SyncRunner(mixed(log).compile(), "main", framing=Framing(), store=Shelf()),
    ):
        raise RuntimeError("body")
    assert log == ["start", "stop"]


def test_a_start_up_that_fails_comes_out_and_leaves_nothing_open() -> None:
    log: list[str] = []
    pipe = mixed(log)

    @pipe.on_startup
    def fail() -> None:
        raise RuntimeError("no")

    runner = SyncRunner(pipe.compile(), "main", framing=Framing(), store=Shelf())
    with pytest.raises(RuntimeError, match=r"^no$"):
        runner.__enter__()
    assert log == ["start", "stop"]
    with pytest.raises(RuntimeError, match="Runner is closed"):
        runner._loop.get_loop()


def test_running_without_the_context_says_what_to_do() -> None:
    runner = SyncRunner(mixed([]).compile(), "main", framing=Framing(), store=Shelf())
    with pytest.raises(RuntimeError, match=r"with SyncRunner\(\.\.\.\) as runner"):
        runner.run(delivery_of([]))
