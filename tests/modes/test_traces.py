"""One trace across gateway, groups and reply service, all of them processes on Redis, as a collector gets it."""

import json
import re
from uuid import uuid4

import httpx
import pytest
from msgspec import Struct
from tests.modes.running import Mode, running
from tests.support.collector import Span, collector
from websockets.sync.client import connect

from headrace.testing.wait import wait_until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CALLER = "b7ad6b7169203331"
SECRET = "the secret in the text"  # of an exception that a node raises
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
ERROR = 2
ANSWERED, FAILED, NOT_SAMPLED, OVER_A_SOCKET, NOT_WAITED_FOR = "a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32


class Seen(Struct):
    """What a deployment told of runs: its spans by trace, of reads those of all, and the runs by trace."""

    spans: dict[str, list[Span]]
    reads: list[Span]
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
            runs[NOT_WAITED_FOR] = start(http, f"00-{NOT_WAITED_FOR}-{CALLER}-01")
            wait_until_sync(
                lambda: ("process replies", NOT_WAITED_FOR) in {(each.name, each.trace) for each in collecting.spans},
                description="the end that nobody waits for is told",
            )
            runs[OVER_A_SOCKET] = ask_over_a_socket(deployment.url, f"00-{OVER_A_SOCKET}-{CALLER}-01")
            assert deployment.stop() == [0] * 4
        spans = {trace: [span for span in collecting.spans if span.trace == trace] for trace in runs}
        reads = [span for span in collecting.spans if span.name.startswith("receive ")]
        assert sum(map(len, spans.values())) + len(reads) == len(collecting.spans)
    return Seen(spans, reads, runs)


def start(http: httpx.Client, traceparent: str) -> str:
    """Start a run that fails, and give it; nobody waits for its end, which so goes to the reply service."""
    headers = {"traceparent": traceparent, "prefer": "respond-async"}
    answer = http.post("/v1/pipes/modes", json={"text": SECRET, "do": "fail"}, headers=headers)
    assert answer.status_code == 202
    return answer.headers["x-trace-id"]


def ask_over_a_socket(url: str, traceparent: str) -> str:
    """Ask, and give the run."""
    with connect(f"ws{url.removeprefix('http')}/v1/pipes/modes/ws") as line:
        line.send(json.dumps({"id": "1", "message": {"text": "x", "do": "answer"}, "traceparent": traceparent}))
        accepted, result = (json.loads(line.recv(60)) for _ in range(2))
    assert (accepted["type"], result["type"]) == ("accepted", "result")
    run: str = result["trace_id"]
    return run


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


def test_a_run_that_is_asked_for_over_a_socket_is_one_trace_too(seen: Seen) -> None:
    spans = seen.spans[OVER_A_SOCKET]
    assert {span.attributes.get("messaging.message.conversation_id") for span in spans} == {
        None,
        seen.runs[OVER_A_SOCKET],
    }
    [first] = [span for span in spans if span.name == "process modes.first"]
    assert way(spans, first) == ["process modes.first", "send modes", "message /v1/pipes/modes/ws"]


def test_a_hop_links_to_the_read_that_brought_it(seen: Seen) -> None:
    reads = {span.id: span for span in seen.reads}
    hops = [span for trace in (ANSWERED, FAILED) for span in seen.spans[trace] if re.match("process modes", span.name)]
    assert len(hops) == 4
    for hop in hops:
        (link,) = hop.links
        read = reads[link]
        assert (read.kind, read.parent) == (CLIENT, "")
        stream = hop.attributes["messaging.destination.name"]
        assert read.attributes["messaging.operation.type"] == "receive"
        assert read.attributes["messaging.destination.name"] == stream
        assert read.attributes["messaging.batch.message_count"] == 1


def test_a_failure_is_told_by_its_kind_and_without_its_text(seen: Seen) -> None:
    spans = seen.spans[FAILED]
    assert {span.name for span in spans if span.status == ERROR} == {"work", "settle modes.second"}
    assert [span.attributes["error.type"] for span in spans if span.name == "work"] == ["step"]
    assert SECRET not in str(spans)


def test_the_end_of_a_run_that_failed_is_delivered_in_its_trace(seen: Seen) -> None:
    spans = seen.spans[NOT_WAITED_FOR]
    [replies] = [span for span in spans if span.name == "process replies"]
    assert way(spans, replies)[:3] == ["process replies", "process modes.second", "process modes.first"]


def test_a_trace_that_its_caller_does_not_sample_is_not_sent(seen: Seen) -> None:
    assert seen.spans[NOT_SAMPLED] == []
