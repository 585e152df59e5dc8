"""Observers that are ready to use: the log, the timeline, differences and comparisons."""

from dataclasses import dataclass

import anyio
import pytest
import structlog
from msgspec import Struct
from pydantic import BaseModel
from tests.headrace.kernel.engine.pipes import Many, Sum, chain, speaking, squares
from tests.headrace.kernel.engine.told import story

from headrace import Pipe, Retry
from headrace.observe import Change, LogObserver, Timeline, changes, compare


def flaky(failures: int) -> Pipe:
    pipe, calls = Pipe("flaky"), iter(range(10))

    @pipe.node(retry=Retry(attempts=2, backoff=0))
    async def work(message: Many) -> Sum:
        if next(calls) < failures:
            raise LookupError("a secret")
        return Sum(1)

    return pipe


async def test_the_log_has_a_line_an_event_and_no_payload() -> None:
    with structlog.testing.capture_logs() as lines:
        await flaky(1).run(Many(7), observers=(LogObserver(),))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("run_started", "info"),
        ("node_started", "info"),
        ("node_failed", "warning"),
        ("node_started", "info"),
        ("node_ended", "info"),
        ("run_finished", "info"),
    ]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[2]["failure"] == "step in node 'work', source user_code (LookupError)"
    assert "secret" not in str(lines)
    assert "Sum" not in str(lines)


async def test_tokens_are_logged_for_those_who_debug_without_their_values() -> None:
    with structlog.testing.capture_logs() as lines:
        await speaking(1).run(Many(7), observers=(LogObserver(),))
    (token,) = [line for line in lines if line["event"] == "emitted"]
    assert token["log_level"] == "debug"
    assert "value" not in token


async def test_a_timeline_has_a_span_an_attempt() -> None:
    timeline = Timeline.of(await story(flaky(1), Many(1)))
    assert [(span.node, span.attempt, span.has_failed) for span in timeline.spans] == [
        ("work", 1, True),
        ("work", 2, False),
    ]
    text = timeline.text().splitlines()
    assert text[0].endswith(": completed")
    assert text[1].startswith("work     |")
    assert text[1].endswith("ms, failed")
    assert text[2].startswith("work (2) |")


async def test_a_timeline_is_drawn_as_a_chart_and_as_a_page() -> None:
    timeline = Timeline.of(await story(flaky(1), Many(1)))
    chart = timeline.mermaid().splitlines()
    assert chart[0] == "gantt"
    assert chart[4].startswith("  work :crit, s0, ")
    assert chart[5].startswith("  work (2) :s1, ")
    assert timeline.html().count("<tr>") == 2


async def test_a_call_that_was_cut_short_stays_in_the_timeline() -> None:
    pipe = Pipe("late")

    @pipe.node
    async def wait(message: Many) -> Sum:
        await anyio.sleep_forever()
        return Sum(0)

    timeline = Timeline.of(await story(pipe, Many(1), timeout=0.001))
    assert timeline.text().splitlines()[1].endswith("cut short")


class Price(Struct):
    amount: int
    tags: list[str] = []


@dataclass
class Order:
    price: Price


class Model(BaseModel):
    number: int


def test_changes_name_the_path_and_what_was_and_is_there() -> None:
    before, after = Order(Price(1, ["new"])), Order(Price(2, ["new", "paid"]))
    assert changes(before, after) == (
        Change(".price.amount", 1, 2),
        Change(".price.tags[1]", "<missing>", "paid"),
    )
    assert str(changes(Model(number=1), Model(number=2))[0]) == ".number: 1 -> 2"
    assert changes(before, before) == ()


class Basket(Struct):
    model: Model


class Tagged(BaseModel):
    tags: set[int]


def test_changes_look_into_models_that_a_struct_or_a_list_holds() -> None:
    assert changes(Basket(Model(number=1)), Basket(Model(number=2))) == (Change(".model.number", 1, 2),)
    assert changes([Model(number=1)], [Model(number=2)]) == (Change("[0].number", 1, 2),)


def test_equal_sets_have_no_changes_whatever_their_order() -> None:
    assert changes({0, 8}, {8, 0}) == ()  # these two iterate in the order of insertion
    assert changes(Tagged(tags={0, 8}), Tagged(tags={8, 0})) == ()
    assert changes({1, "a"}, {1, "a"}) == ()


def test_what_python_takes_for_equal_and_json_does_not_is_a_change() -> None:
    assert changes({"a": 1}, {"a": True}) == (Change(".a", 1, True),)
    assert changes({"a": "<missing>"}, {}) == (Change(".a", "<missing>", "<missing>"),)


async def test_two_runs_are_compared_node_by_node() -> None:
    comparison = compare(await story(flaky(0), Many(1)), await story(flaky(1), Many(1)))
    (node,) = comparison.nodes
    assert (node.calls, node.failed, node.differs) == ((1, 2), (0, 1), True)
    assert comparison.has_same_result
    assert comparison.text().splitlines()[1].startswith("* work: calls 1, 2; failed 0, 1; mean ")


async def test_runs_of_other_ways_differ_in_their_nodes() -> None:
    pipe, message, _ = chain(1)
    comparison = compare(await story(pipe, message), await story(squares(), Many(1)))
    assert [node.node for node in comparison.nodes] == ["add", "n0", "split", "square"]
    assert not comparison.has_same_result


def test_a_run_that_is_not_over_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="RunFinished"):
        compare([], [])
