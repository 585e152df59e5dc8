"""One trace across gateway, groups and reply service, all of them processes on Redis, as a collector gets it."""

import re
from uuid import uuid4

import httpx
import pytest
from msgspec import Struct
from tests.modes.running import Mode, running
from tests.support.collector import Span, collector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CALLER = "b7ad6b7169203331"
SECRET = "the secret in the text"  # of an exception that a node raises
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
ERROR = 2
ANSWERED, FAILED, NOT_SAMPLED = "a" * 32, "b" * 32, "c" * 32


class Seen(Struct):
    """What a deployment told of runs: its spans by trace, and the runs by trace."""

    spans: dict[str, list[Span]]
    runs: dict[str, str]


@pytest.fixture(scope="module")
def seen(redis_url: str) -> Seen:
    """Ask a whole deployment, and stop it, so that all it has to tell is told."""
    runs = dict[str, str]()
    with collector() as collecting:
        with (
            running(Mode.C_SERVICES, redis_url, f"traces-{uuid4().hex}", otlp_endpoint=collecting.url) as deployment,
            httpx.Client(base_url=deployment.url, timeout=60) as http,
        ):
            for trace, flags, do in ((ANSWERED, "01", "answer"), (FAILED, "01", "fail"), (NOT_SAMPLED, "00", "answer")):
                headers = {"traceparent": f"00-{trace}-{CALLER}-{flags}"}
                answer = http.post("/v1/pipes/modes", json={"text": SECRET, "do": do}, headers=headers)
                assert answer.headers["traceparent"].split("-")[1] == trace
                runs[trace] = answer.headers["x-trace-id"]
            assert deployment.stop() == [0] * 4
        spans = {trace: [span for span in collecting.spans if span.trace == trace] for trace in runs}
        assert sum(map(len, spans.values())) == len(collecting.spans)
    return Seen(spans, runs)


def way(spans: list[Span], span: Span) -> list[str]:
    """Name a span and those around it, out to the caller's."""
    by_id = {each.id: each for each in spans}
    names = [span.name]
    while span.parent != CALLER:
        span = by_id[span.parent]
        names.append(span.name)
    return names


def test_a_run_is_one_trace_across_gateway_groups_and_reply_service(seen: Seen) -> None:
    run, spans = seen.runs[ANSWERED], seen.spans[ANSWERED]
    assert sorted((span.service.removeprefix("headrace-"), span.name, span.kind) for span in spans) == [
        ("gateway", "POST /v1/pipes/modes", SERVER),
        ("gateway", "send modes", PRODUCER),
        ("reply", "process replies", CONSUMER),
        ("worker", "process modes.first", CONSUMER),
        ("worker", "process modes.second", CONSUMER),
        ("worker", "see", INTERNAL),
        ("worker", "send modes.second", PRODUCER),
        ("worker", "settle modes.first", CLIENT),
        ("worker", "settle modes.second", CLIENT),
        ("worker", "work", INTERNAL),
    ]
    (replies,) = [span for span in spans if span.name == "process replies"]
    second = ["process modes.second", "process modes.first", "send modes", "POST /v1/pipes/modes"]
    assert way(spans, replies) == ["process replies", *second]
    assert [way(spans, span) for span in spans if span.name == "work"] == [["work", *second]]
    assert {span.attributes.get("messaging.message.conversation_id", run) for span in spans} == {run}
    for span in spans:
        if re.match("send|process|settle", span.name):
            assert span.attributes["messaging.operation.type"] == span.name.partition(" ")[0]
            assert span.attributes["messaging.destination.name"] == span.name.partition(" ")[2]


def test_a_failure_is_told_by_its_kind_and_without_its_text(seen: Seen) -> None:
    spans = seen.spans[FAILED]
    assert {span.name for span in spans if span.status == ERROR} == {"work", "settle modes.second"}
    assert [span.attributes["error.type"] for span in spans if span.name == "work"] == ["step"]
    assert SECRET not in str(spans)


def test_a_trace_that_its_caller_does_not_sample_is_not_sent(seen: Seen) -> None:
    assert seen.spans[NOT_SAMPLED] == []
