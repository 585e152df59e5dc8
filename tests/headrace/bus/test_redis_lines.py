"""A line: answers in the order of the questions, whoever goes; nothing is asked twice, and what is lost says so."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError, NoScriptError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from tests.support.proxy import Proxy
from tests.support.redis_server import IN_MEMORY, RedisServer, free_port

from headrace.bus.redis.lines import Endpoint, Line
from headrace.errors import SettingsError

LONG_S = 30.0
SHORT_S = 0.05


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Line]:
    line = await Endpoint(url).open(LONG_S)
    yield line
    await line.aclose()


@pytest.fixture
def guarded() -> Iterator[RedisServer]:
    with RedisServer((*IN_MEMORY, "--user", "ada", "on", ">secret", "~*", "+@all")) as server:
        yield server


async def test_commands_need_not_wait_for_each_others_answers_which_come_in_their_order(redis_url: str) -> None:
    async with opened(redis_url) as line:
        asked = [line.ask("ECHO", str(number), within_s=LONG_S) for number in range(1000)]
        assert not line.is_idle
        assert [await answer for answer in asked] == [b"%d" % number for number in range(1000)]
        assert line.is_idle


async def test_an_error_is_its_own_commands_alone(redis_url: str) -> None:
    async with opened(redis_url) as line:
        wrong, right = line.ask("EVALSHA", "0" * 40, 0, within_s=LONG_S), line.ask("PING", within_s=LONG_S)
        with pytest.raises(NoScriptError):
            await wrong
        assert await right == b"PONG"


async def test_whoever_goes_before_the_answer_leaves_the_line_to_the_others(redis_url: str) -> None:
    async with opened(redis_url) as line:
        left, kept = line.ask("ECHO", "left", within_s=LONG_S), line.ask("ECHO", "kept", within_s=LONG_S)
        left.cancel()
        assert await kept == b"kept"
        assert line.lost is None


async def test_a_server_that_answers_nothing_loses_the_line_and_all_who_wait(own_redis: RedisServer) -> None:
    async with Proxy(own_redis.port) as proxy, opened(proxy.url) as line:
        proxy.freeze()
        asked = [line.ask("PING", within_s=SHORT_S), line.ask("PING", within_s=LONG_S)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [RedisTimeoutError] * 2
        with pytest.raises(RedisTimeoutError):
            line.ask("PING", within_s=LONG_S)
        proxy.thaw()


async def test_a_server_that_goes_loses_the_line_and_all_who_wait(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as line:
        blocked = line.ask("BLPOP", "nothing", 0, within_s=LONG_S)
        own_redis.kill()
        with pytest.raises(RedisConnectionError):
            await blocked
        with pytest.raises(RedisConnectionError):
            line.ask("PING", within_s=LONG_S)
    own_redis.start()


async def test_a_dropped_line_fails_who_waits_and_closing_it_again_does_nothing(redis_url: str) -> None:
    async with opened(redis_url) as line:
        blocked = line.ask("BLPOP", "nothing", 0, within_s=LONG_S)
        await line.aclose()
        with pytest.raises(RedisConnectionError):
            await blocked


async def test_name_password_and_database_of_the_address_are_told_first(guarded: RedisServer) -> None:
    address = f"redis://ada:secret@127.0.0.1:{guarded.port}/3?client_name=mill"
    async with opened(address) as line:
        described = await line.ask("CLIENT", "INFO", within_s=LONG_S)
    assert {b"user=ada", b"db=3", b"name=mill"} <= set(described.split())


async def test_a_wrong_password_is_told_and_no_line_is_left(guarded: RedisServer) -> None:
    with pytest.raises(AuthenticationError):
        await Endpoint(f"redis://ada:wrong@127.0.0.1:{guarded.port}/0").open(LONG_S)


async def test_where_nobody_listens_there_is_no_connection(own_redis: RedisServer) -> None:
    own_redis.stop()
    with pytest.raises(RedisConnectionError):
        await Endpoint(own_redis.url).open(LONG_S)
    own_redis.start()


@pytest.mark.parametrize("url", ["redis://host:port/0", "redis://host/0?no_such_option=1"])
def test_an_address_that_cannot_be_understood_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match=r"bus_url.*cannot be understood"):
        Endpoint(url)


async def test_a_unix_socket_is_as_good(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with RedisServer((*IN_MEMORY, "--unixsocket", str(path))):
        async with opened(f"unix://{path}") as line:
            assert await line.ask("PING", within_s=LONG_S) == b"PONG"


async def test_tls_is_spoken_where_the_address_says_so_and_a_stranger_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: ASYNC221 - nothing else runs in this loop yet
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    port = free_port()
    address = f"rediss://localhost:{port}/0"
    with RedisServer((*IN_MEMORY, "--tls-port", str(port), *files)):
        async with opened(f"{address}?ssl_ca_certs={certificate}") as line:
            assert await line.ask("PING", within_s=LONG_S) == b"PONG"
        with pytest.raises(RedisConnectionError):
            await Endpoint(address).open(LONG_S)
