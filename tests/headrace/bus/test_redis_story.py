"""Where a run stands, told from a real server that has work of it in every place."""

from collections.abc import AsyncIterator

import pytest
from tests.headrace.bus.bench import OTHER, OTHER_LANE, Bench, every_place, trace

from headrace.bus.redis.inspect.joins import JoinStory, SignalStory
from headrace.bus.redis.inspect.story import story_of


@pytest.fixture
async def bench(redis_url: str, namespace: str) -> AsyncIterator[Bench]:
    made = Bench(redis_url, namespace)
    yield made
    await made.aclose()


async def test_each_piece_of_work_is_told_with_what_it_waits_for(bench: Bench) -> None:
    run = await every_place(bench)
    await bench.bus.read(OTHER, "worker", limit=1, wait_s=1)
    story = await story_of(bench.places, run)
    assert story is not None
    assert (story.state, story.in_flight, story.waiting, story.suspended) == ("open", 9, 3, 1)
    entries = [(entry.stream, entry.lane, entry.held_by, entry.deliveries) for entry in story.entries]
    assert sorted(entries) == [
        ("pipe.next", "", "", 0),
        ("pipe.next", "", "", 0),
        (OTHER, OTHER_LANE, "worker", 1),
    ]
    [later] = story.scheduled
    assert (later.stream, later.is_spill) == (OTHER, False)
    assert 590_000 < later.due_ms - story.now_ms <= 600_000
    [place] = story.lanes
    assert (place.lane, place.ticket, place.ahead, place.is_parked) == (OTHER_LANE, "2", 1, True)
    assert story.joins == (
        JoinStory("gather", "1.0", (), {"items": 1}, 1),
        JoinStory("meet", "", ("a",), {"b": 2}),
    )
    assert story.signals == (SignalStory("approved", 1, (OTHER,)),)


async def test_a_place_taken_at_ingress_is_told(bench: Bench) -> None:
    await bench.start(tickets=((OTHER_LANE, OTHER),))
    run = await bench.start(tickets=((OTHER_LANE, OTHER),), inbox="gateway")
    story = await story_of(bench.places, run)
    assert story is not None
    [place] = story.lanes
    assert (place.ahead, place.is_parked) == (1, False)
    assert story.waited_for_by == ("gateway",)


async def test_an_unknown_run_has_no_story(bench: Bench) -> None:
    assert await story_of(bench.places, trace()) is None
