"""Where a run stands, told from a real server that has work of it in every place."""

from collections.abc import AsyncIterator

import pytest
from tests.headrace.bus.bench import IN, OTHER, OTHER_LANE, Bench, every_place, frame, trace

from headrace.bus.redis.inspect.joins import JoinStory, SignalStory
from headrace.bus.redis.inspect.story import story_of
from headrace.ledger import events
from headrace.ledger.events import CallEvent
from headrace.ledger.told import Told
from headrace.ledger.values import Emit, Submission


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


async def test_the_events_of_a_run_that_keeps_them_are_told_without_what_nodes_emitted(bench: Bench) -> None:
    run = trace()
    await bench.bus.submit([Submission(run, "pipe", "v1", (Emit(IN, frame(run)),), keeps_events=True)])
    delivery = await bench.take()
    call = ("talk", "in", "ca11", run, 1)
    blobs = tuple(
        events.encode(event)
        for event in (
            CallEvent("node_started", 1.0, *call, worker="in-1", deliveries=2, queued_s=0.5),
            CallEvent("emitted", 1.5, *call, value=b'"secret"'),
            CallEvent("suspended", 2.0, *call, until="approval"),
        )
    )
    await bench.bus.tell([Told(run, "ca11", delivery.turn, 0, blobs)])
    story = await story_of(bench.places, run)
    assert story is not None
    assert [(one.seq, one.kind, one.node, one.what) for one in story.events] == [
        (1, "node_started", "talk", ""),
        (3, "suspended", "talk", "approval"),
    ]
    assert [one.at_ms for one in story.events] == [1000, 2000]
    assert [(one.worker, one.deliveries, one.queued_ms) for one in story.events] == [("in-1", 2, 500), ("", 0, None)]


async def test_an_unknown_run_has_no_story(bench: Bench) -> None:
    assert await story_of(bench.places, trace()) is None
