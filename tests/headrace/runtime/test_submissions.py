"""Submissions: deadlines of envelopes and of runs, and what the entry message may lead to."""

import pytest
from msgspec import Struct

from headrace.errors import InvalidMessageError
from headrace.graph.options import First, Partial
from headrace.graph.pipe import Pipe
from headrace.kernel.feeds import Feeds
from headrace.ledger.values import Arrive, Emit, Enqueue
from headrace.runtime.idempotency import Idempotency
from headrace.runtime.submissions import PLAIN, Options, Submissions
from headrace.wire.envelope import Framing, trace_of

NOW_S = 1_000_000.0


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


class FixedClock:
    def now(self) -> float:
        return NOW_S

    def monotonic(self) -> float:
        return 0.0


def joining() -> Pipe:
    pipe = Pipe("joining", entry=Ask)

    @pipe.node
    async def side(ask: Ask) -> Part:
        return Part()

    @pipe.node
    async def join(ask: Ask, part: Partial[Part]) -> Answer:
        return Answer()

    return pipe


@pytest.mark.parametrize(
    ("timeout_s", "timeout_ms", "deadline_ms"),
    [(0.0, 0, 0), (1.5, 1500, 1_000_001_500), (0.0001, 1, 1_000_000_000), (2.0, 2000, 1_000_002_000)],
)
def test_a_run_has_a_time_by_the_bus_and_its_envelopes_the_deadline_by_the_given_clock(
    timeout_s: float, timeout_ms: int, deadline_ms: int
) -> None:
    framing = Framing()
    submission = Submissions(joining().compile(), framing, clock=FixedClock()).make(Ask(), Options(timeout_s), "")
    output = submission.outputs[0]
    assert isinstance(output, Emit)
    assert (submission.timeout_ms, framing.open(output.frame).deadline_ms) == (timeout_ms, deadline_ms)


@pytest.mark.parametrize(("share", "about"), [(0.0, 0), (0.25, 250), (1.0, 1000)])
def test_a_share_of_runs_keeps_its_events_and_the_run_and_its_envelopes_agree(share: float, about: int) -> None:
    framing = Framing()
    submissions = Submissions(joining().compile(), framing, events_sample=share)
    kept = 0
    for submission in (submissions.make(Ask(), PLAIN, "") for _ in range(1000)):
        kept += submission.keeps_events
        assert isinstance(submission.outputs[0], Emit)
        assert framing.open(submission.outputs[0].frame).keeps_events is submission.keeps_events
    assert abs(kept - about) < 100  # 7 standard deviations


def test_whether_a_run_is_sampled_is_decided_by_its_trace_id() -> None:
    plan, options = joining().compile(), [Options(idempotency=Idempotency(f"{n}", "")) for n in range(100)]
    few, many = (Submissions(plan, Framing(), events_sample=share) for share in (0.3, 0.6))
    first, again, more = (
        {each.trace_id for each in (made.make(Ask(), one, "") for one in options) if each.keeps_events}
        for made in (few, few, many)
    )
    assert first == again < more


def test_a_run_that_asks_keeps_its_events_whatever_the_share() -> None:
    submissions = Submissions(joining().compile(), Framing())
    assert submissions.make(Ask(), Options(keeps_events=True), "").keeps_events


def test_the_frames_of_a_run_name_it() -> None:
    submission = Submissions(joining().compile(), Framing()).make(Ask(), PLAIN, "")
    for output in submission.outputs:
        assert isinstance(output, Emit | Arrive)
        assert trace_of(output.frame) == submission.trace_id


def test_the_entry_message_carries_what_it_may_lead_to() -> None:
    plan = joining().compile()
    feeds = Feeds(plan)
    emitted, arrived = Submissions(plan, Framing()).make(Ask(), PLAIN, "").outputs
    assert isinstance(emitted, Emit)
    assert isinstance(arrived, Arrive)
    assert [(each.join.node, each.slot) for each in emitted.feeds] == [("join", "part")]
    assert (arrived.join, arrived.slot) == (feeds.join("join", ""), "ask")
    assert (arrived.join.optional, arrived.feeds) == (("part",), ())


def test_an_entry_message_may_go_to_a_first_slot_and_to_a_lane() -> None:
    pipe = Pipe("entries", entry=Ask)

    @pipe.node
    async def first(either: First[Ask | Part]) -> Answer:
        return Answer()

    @pipe.node(key="number", order="ingress")
    async def keyed(ask: Ask) -> Part:
        return Part()

    submission = Submissions(pipe.compile(), Framing()).make(Ask(3), PLAIN, "inbox")
    arrived, enqueued = submission.outputs
    assert isinstance(arrived, Arrive)
    assert isinstance(enqueued, Enqueue)
    assert submission.tickets == (("entries.keyed.3", "entries.main"),)
    assert (enqueued.lane, enqueued.by_ingress, submission.inbox) == ("entries.keyed.3", True, "inbox")
    assert [(each.join.node, each.slot) for each in enqueued.feeds] == [("first", "either")]


def test_a_key_that_cannot_be_computed_is_an_invalid_message() -> None:
    pipe = Pipe("keyed")

    @pipe.node(key=lambda ask: ask.nothing, order="ingress")
    async def keyed(ask: Ask) -> Answer:
        return Answer()

    with pytest.raises(InvalidMessageError, match="the key of node 'keyed' cannot be computed"):
        Submissions(pipe.compile(), Framing()).make(Ask(), PLAIN, "")
