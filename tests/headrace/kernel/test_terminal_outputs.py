"""Outputs that end a run: its result, of which the first stands, and those that cannot be sent."""

from typing import Any

from msgspec import Struct
from tests.headrace.kernel.bench import bench, failure
from tests.headrace.kernel.messages import Answer, Ask, Other, Part

from headrace.errors import FailureKind
from headrace.graph.pipe import Pipe
from headrace.kernel.events import KernelEvent, TerminalDropped
from headrace.wire.envelope import Framing


async def test_a_loop_that_goes_round_more_often_than_its_bound_fails_the_run() -> None:
    pipe = Pipe("loop")
    seen: list[int] = []

    @pipe.node
    async def start(ask: Ask) -> Part:
        return Part(ask.number)

    @pipe.node(max_visits=3)
    async def round_(part: Part) -> Part | Answer:
        seen.append(part.number)
        return Part(part.number - 1) if part.number else Answer(len(seen))

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask(2))) == Answer(3)
        assert seen == [2, 1, 0]
        seen.clear()
        failed = failure(await on.run(Ask(3)))
        assert (failed.kind, failed.node, failed.error) == (FailureKind.STEP, "round_", "TooManyVisitsError")
        assert seen == [3, 2, 1]


async def test_the_first_terminal_output_of_a_hop_stands_and_observers_are_told_of_the_others() -> None:
    pipe = Pipe("twice")

    @pipe.node
    async def split(ask: Ask) -> list[Answer | Part]:
        return [Part(0), Answer(1), Answer(2)]

    @pipe.node
    async def late(part: Part) -> Answer:
        return Answer(3)

    heard: list[KernelEvent] = []
    async with bench(pipe, observers=(heard.append,)) as on:
        settled = await on.run(Ask())

        assert on.result(settled) == Answer(1)
        assert settled.outputs == ()
        assert [event.node for event in heard if isinstance(event, TerminalDropped)] == ["split", "late"]


async def test_of_siblings_terminal_outputs_the_first_emitted_stands_and_the_others_are_told() -> None:
    pipe = Pipe("siblings")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(3)]

    @pipe.node
    async def answer(part: Part) -> Answer:
        return Answer(part.number)

    heard: list[KernelEvent] = []
    async with bench(pipe, observers=(heard.append,)) as on:
        assert on.result(await on.run(Ask())) == Answer(0)
        assert [type(event) for event in heard].count(TerminalDropped) == 2


async def test_the_output_of_a_terminal_node_is_the_result_whoever_takes_its_type() -> None:
    pipe = Pipe("ended")

    @pipe.node
    async def split(ask: Ask) -> Part | Other:
        return Other(1)

    @pipe.node(terminal=True)
    async def end(other: Other) -> Part:
        return Part(5)

    @pipe.node
    async def part(part: Part) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Part(5)


async def test_an_output_over_the_limit_fails_its_run() -> None:
    class Large(Struct):
        text: str

    pipe = Pipe("large")

    @pipe.node
    async def split(ask: Ask) -> Large:
        return Large("x" * 4096)

    @pipe.node(group="far")
    async def answer(large: Large) -> Answer:
        return Answer()

    async with bench(pipe, framing=Framing(max_frame_bytes=2048)) as on:
        settled = await on.run(Ask())
        assert (failure(settled).node, failure(settled).error) == ("split", "EnvelopeTooLargeError")
        assert settled.dead is not None


async def test_an_output_that_cannot_be_encoded_is_an_invalid_message() -> None:
    class Anything(Struct):
        value: Any = None

    pipe = Pipe("odd")

    @pipe.node
    async def split(ask: Ask) -> Anything:
        return Anything(object())

    @pipe.node(group="far")
    async def answer(anything: Anything) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.node) == (FailureKind.INVALID_MESSAGE, "split")
