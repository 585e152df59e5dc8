"""Entries that no worker of ours wrote, or that are out of date or out of bounds; the frames of the rows are signed."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.faults.app import Ask, Counted, Do
from tests.faults.deployment import PLAN, Deployment, answers, asks, counted

from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState
from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until
from headrace.wire.envelope import TRACE_BYTES, Envelope, Framing, trace_of
from headrace.wire.signing import Keyring

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
SECRET, OTHER_SECRET = b"0123456789abcdef", b"fedcba9876543210"
LIMIT_BYTES = 4096
OURS = Framing(Keyring({"ours": SECRET}, "ours"), max_frame_bytes=LIMIT_BYTES)
LARGE = Framing(Keyring({"ours": SECRET}, "ours"))
TRACE = "0" * 31 + "1"


@pytest.fixture
async def signed(redis_url: str, namespace: str) -> AsyncIterator[Deployment]:
    keys = f"ours:{base64.b64encode(SECRET).decode()}"
    deployment = Deployment(redis_url, namespace, OURS, signing_keys=keys, max_frame_bytes=str(LIMIT_BYTES))
    yield deployment
    await deployment.aclose()


async def test_garbage_in_a_stream_becomes_a_dead_letter_with_its_bytes_and_stops_nothing(signed: Deployment) -> None:
    garbage = (b"", b"\0", b"\0\xff", b"\x05abc", b"\0\x91\x01")
    await put(signed, *garbage)
    async with Redis.from_url(signed.url) as redis:
        await redis.xadd(stream(signed), {"anything": "else"})
        await redis.xadd(stream(signed), {"7": b"x", "lane": "faults.count.k"})
    await goes_on(signed, runs=3)
    letters = await signed.dead_letters("second")
    assert {frame for letter in letters for frame in letter.frames} == {*garbage, b"else", b"x"}
    assert {letter.failure.kind for letter in letters} == {"invalid_message"}


@pytest.mark.parametrize(
    "forger",
    [Framing(), Framing(Keyring({"theirs": OTHER_SECRET}, "theirs")), Framing(Keyring({"ours": OTHER_SECRET}, "ours"))],
    ids=["unsigned", "unknown-key", "wrong-secret"],
)
async def test_a_forged_envelope_is_refused_and_its_node_not_called(
    signed: Deployment, tmp_path: Path, forger: Framing
) -> None:
    frame = forger.seal(envelope(Ask("forged", "k", Do.WAIT, str(tmp_path / "gate"))))
    await put(signed, frame)
    await goes_on(signed, runs=3)
    assert_refused(await signed.dead_letters("second"), frame, "signature_refused")
    assert not called(os.getpid(), tmp_path)


async def test_a_tampered_envelope_is_refused_and_the_run_that_it_names_fails(signed: Deployment) -> None:
    async with signed.client("first", "third", with_reply=True) as client:
        ((_, future),) = await client.ask_all(asks(1))
        (frame,) = await frames(signed)
        tampered = frame[:-1] + bytes((frame[-1] ^ 1,))
        await replace(signed, tampered)
        await signed.worker("second")
        failure = failure_of(await asyncio.wait_for(future, 10))
        assert (failure.kind, failure.error) == ("invalid_message", "signature_refused")
        assert await answers(client, await client.ask_all(asks(3))) == counted(3)  # its ticket was given back
    assert_refused(await signed.dead_letters("second"), tampered, "signature_refused")
    await signed.assert_settled(4, allow=("dead",))


async def test_an_envelope_that_names_another_run_in_clear_is_refused_and_that_run_fails(
    signed: Deployment, tmp_path: Path
) -> None:
    async with signed.client("first", "third", with_reply=True) as client:
        waits, named = asks(2, do=Do.WAIT, path=tmp_path / "gate")
        ((trace, future), (_, other)) = await client.ask_all([waits, named])
        mine, its = sorted(await frames(signed, 2), key=lambda frame: trace_of(frame) != trace)
        forged = its[:TRACE_BYTES] + mine[TRACE_BYTES:]
        await replace(signed, forged, mine)
        worker = await signed.worker("second")
        failure = failure_of(await asyncio.wait_for(other, 10))
        assert (failure.kind, failure.error) == ("invalid_message", "envelope_refused")
        (tmp_path / "gate").touch()
        assert await answers(client, [(trace, future)]) == counted(1)
        assert called(worker.pid, tmp_path)
    assert_refused(await signed.dead_letters("second"), forged, "envelope_refused")
    await signed.assert_settled(2, allow=("dead",))


async def test_a_genuine_envelope_put_in_again_after_its_run_ended_changes_nothing(signed: Deployment) -> None:
    async with signed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(1))
        replayed = await frames(signed)
        await signed.worker("second")
        assert await answers(client, asked) == counted(1)
        await put(signed, *replayed)
        await wait_until(lambda: has_backlog(signed, 0), description="it is dealt with")
        assert await answers(client, await client.ask_all(asks(1))) == [Counted("0", 2)]
    await signed.assert_settled(2)


async def test_a_run_past_its_deadline_expires_and_its_node_is_not_called(signed: Deployment, tmp_path: Path) -> None:
    async with signed.client("first", "third", with_reply=True) as client:
        (ask,) = asks(1, do=Do.WAIT, path=tmp_path / "gate")
        ((_, future),) = await client.ask_all([ask], Options(timeout_s=0.1))
        await wait_until(lambda: has_backlog(signed, 1), description="it waits for its worker")
        worker = await signed.worker("second")  # takes longer to start than the deadline
        terminal = await asyncio.wait_for(future, 10)
        assert (terminal.state, failure_of(terminal).kind) == (RunState.EXPIRED, "deadline")
        assert not called(worker.pid, tmp_path)
        assert await answers(client, await client.ask_all(asks(3))) == counted(3)  # its ticket was given back
    await signed.assert_settled(4)


async def test_a_message_over_the_limit_is_refused_at_its_start_and_spoils_no_other(signed: Deployment) -> None:
    async with signed.client("first", "second", "third", with_reply=True) as client:
        (large, refused), *others = await client.ask_all([Ask("x", "k", padding="x" * LIMIT_BYTES), *asks(3)])
        assert large == ""
        assert failure_of(await refused).kind == "invalid_message"
        assert await answers(client, others) == counted(3)
    await signed.assert_settled(3)


async def test_an_output_over_the_limit_fails_its_run_and_no_other(signed: Deployment) -> None:
    async with signed.client("first", "second", "third", with_reply=True) as client:
        ((_, large), *others) = await client.ask_all([Ask("x", "k", Do.GROW, size=LIMIT_BYTES), *asks(3)])
        failure = failure_of(await asyncio.wait_for(large, 10))
        assert (failure.kind, failure.node, failure.error) == ("step", "work", "EnvelopeTooLargeError")
        assert await answers(client, others) == counted(3)
    await signed.assert_settled(4, allow=("dead",))


async def test_an_entry_over_the_limit_is_not_decoded_and_its_bytes_are_kept(signed: Deployment) -> None:
    frame = LARGE.seal(envelope(Ask("x", "k", padding="x" * LIMIT_BYTES)))
    await put(signed, frame)
    await goes_on(signed, runs=3)
    assert_refused(await signed.dead_letters("second"), frame, "envelope_too_large")


async def test_an_entry_for_a_node_that_is_not_there_fails_its_run_without_a_route(signed: Deployment) -> None:
    async with signed.client("first", "third", with_reply=True) as client:
        ((trace, future),) = await client.ask_all(asks(1))
        await frames(signed)
        elsewhere = OURS.seal(
            Envelope(trace, trace, "faults", "gone", "task", "Task", b"", "an-older-plan", tickets=("faults.count.k",))
        )
        await replace(signed, elsewhere)
        await signed.worker("second")
        assert failure_of(await asyncio.wait_for(future, 10)).kind == "no_route"
        assert await answers(client, await client.ask_all(asks(3))) == counted(3)  # its ticket was given back
    (letter,) = await signed.dead_letters("second")
    assert (letter.frames, letter.failure.kind) == ((elsewhere,), "no_route")
    await signed.assert_settled(4, allow=("dead",))


def envelope(ask: Ask) -> Envelope:
    body = PLAN.codecs["Ask"].encode(ask)
    return Envelope(TRACE, TRACE, "faults", "see", "ask", "Ask", body, PLAN.version)


async def goes_on(deployed: Deployment, runs: int) -> None:
    """Check that what came before has stopped nothing, and that it is worked off."""
    async with deployed.client(*PLAN.groups, with_reply=True) as client:
        assert await answers(client, await client.ask_all(asks(runs))) == counted(runs)
        await wait_until(lambda: has_backlog(deployed, 0), description="the stream is worked off")
    await deployed.assert_settled(runs, allow=("dead",))


async def put(deployed: Deployment, *put_in: bytes) -> None:
    async with Redis.from_url(deployed.url) as redis:
        for frame in put_in:
            await redis.xadd(stream(deployed), {"0": frame})


async def replace(deployed: Deployment, *put_in: bytes) -> None:
    """Put frames in the place of all that is there."""
    async with Redis.from_url(deployed.url) as redis:
        await redis.xtrim(stream(deployed), maxlen=0)
    await put(deployed, *put_in)


async def frames(deployed: Deployment, count: int = 1) -> list[bytes]:
    """Give the frames in the stream, once there are so many."""
    await wait_until(lambda: has_backlog(deployed, count), description="they wait for their worker")
    async with Redis.from_url(deployed.url) as redis:
        entries: Any = await redis.xrange(stream(deployed))  # typed by the client for every option it might have
    return [fields[b"0"] for _, fields in entries]


async def has_backlog(deployed: Deployment, entries: int) -> bool:
    return await deployed.backlog("second") == entries


def stream(deployed: Deployment) -> str:
    return deployed.keys.stream("faults.second")


def called(pid: int, tmp_path: Path) -> bool:
    return Path(f"{tmp_path}/gate.{pid}").exists()


def assert_refused(letters: list[DeadLetter], frame: bytes, error: str) -> None:
    (letter,) = letters
    assert (letter.frames, letter.failure.kind, letter.failure.error) == ((frame,), "invalid_message", error)
