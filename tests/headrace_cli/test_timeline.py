"""The timeline that `headrace trace` draws, of events as a run's record keeps them."""

from headrace.bus.redis.inspect.story import Happened, Story
from headrace.ledger.values import RunState
from headrace_cli.timeline import timeline_of

BEGAN_MS = 1_000_000


def story(*events: Happened, state: RunState = RunState.COMPLETED) -> Story:
    return Story(
        trace_id="0" * 32,
        pipe="shop",
        plan="v1",
        state=state,
        created_ms=BEGAN_MS,
        deadline_ms=0,
        in_flight=0,
        waiting=0,
        suspended=0,
        failure=None,
        result_type="",
        kept_ms=-1,
        now_ms=BEGAN_MS + 5000,
        events=events,
    )


def started(after_ms: int, node: str, call: str, attempt: int = 1, worker: str = "", times: int = 1) -> Happened:
    queued_ms = 3.0 if worker else None
    return Happened(0, "node_started", BEGAN_MS + after_ms, node, call, attempt, "", None, worker, times, queued_ms)


def happened(
    kind: str, after_ms: int, call: str = "", attempt: int = 1, what: str = "", took_ms: float = 0
) -> Happened:
    return Happened(0, kind, BEGAN_MS + after_ms, "", call, attempt, what, took_ms)


def test_a_call_is_one_line_with_its_worker_its_wait_and_its_duration() -> None:
    events = (
        started(4, "price", "a", worker="prices-1"),
        happened("node_ended", 5, "a", took_ms=0.02),
        started(5, "total", "b"),
        happened("node_ended", 1305, "b", took_ms=1300),
        happened("completed", 1306),
    )
    assert timeline_of(story(*events)) == [
        "+4 ms     price      20 µs on prices-1, queued 3 ms",
        "+5 ms     total      1s",
        "+1s       completed",
    ]


def test_each_attempt_is_a_line_and_one_on_a_second_worker_says_that_its_entry_was_handed_out_again() -> None:
    events = (
        started(1, "charge", "a", worker="billing-1"),
        happened("node_failed", 3, "a", what="step", took_ms=2),
        started(503, "charge", "a", 2, worker="billing-2", times=2),
        happened("node_ended", 504, "a", 2, took_ms=1),
    )
    assert timeline_of(story(*events)) == [
        "+1 ms     charge      failed after 2 ms: step on billing-1, queued 3 ms",
        "+503 ms   charge (2)  1 ms on billing-2, queued 3 ms, handed out 2 times",
    ]


def test_what_waits_what_runs_and_what_is_void_is_told() -> None:
    events = (
        started(1, "ask", "a"),
        happened("suspended", 2, "a", what="approval"),
        started(3, "work", "b"),
        happened("replaced", 4, "b"),
        started(4, "work", "b"),
    )
    assert timeline_of(story(*events, state=RunState.OPEN)) == [
        "+1 ms     ask   waits for approval",
        "+3 ms     work  void: was made again",
        "+4 ms     work  under way for 4s",
    ]
    assert timeline_of(story(started(3, "work", "b"), happened("failed", 4))) == [
        "+3 ms     work    not ended",
        "+4 ms     failed",
    ]
