"""What a service tells whoever started it: lines that are read back, and no harm where nobody reads."""

import os

import pytest

from headrace.bus.memory.bus import MemoryBus
from headrace.runtime.compose import beside
from headrace.runtime.reports import PROTOCOL, Beat, Hello, Ready, Report, Reports, read_report
from headrace.testing.wait import wait_until


class Listening:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_blocking(fd, False)

    def heard(self) -> list[Report]:
        try:
            return [read_report(line) for line in os.read(self._fd, 1 << 16).splitlines()]
        except BlockingIOError:
            return []


@pytest.fixture
def pipe() -> tuple[Listening, int]:
    reading, writing = os.pipe()
    return Listening(reading), writing


def gather(heard: list[Report], listening: Listening) -> int:
    heard.extend(listening.heard())
    return len(heard)


async def test_hello_ready_and_beats_are_heard_in_this_order(pipe: tuple[Listening, int]) -> None:
    listening, fd = pipe
    reports = Reports(fd, every_s=0.001)
    reports.hello({"numbers": "v1"})
    reports.ready(lambda: Beat(1, 2), url="http://here")
    heard: list[Report] = []
    async with beside(MemoryBus(), reports):
        await wait_until(lambda: gather(heard, listening) > 3, description="beats are heard")
    assert heard[:3] == [Hello(PROTOCOL, os.getpid(), {"numbers": "v1"}), Ready("http://here"), Beat(1, 2)]


async def test_a_service_beats_before_it_is_ready(pipe: tuple[Listening, int]) -> None:
    listening, fd = pipe
    async with beside(MemoryBus(), Reports(fd, every_s=0.001)):
        await wait_until(lambda: Beat() in listening.heard(), description="it beats")


async def test_a_service_that_is_dead_in_all_but_name_does_not_beat(pipe: tuple[Listening, int]) -> None:
    listening, fd = pipe
    asked: list[None] = []
    reports = Reports(fd, every_s=0.001)
    reports.ready(lambda: asked.append(None))
    async with beside(MemoryBus(), reports):
        await wait_until(lambda: len(asked) > 3, description="it was asked")
    assert listening.heard() == [Ready()]


async def test_a_pipe_that_nobody_reads_blocks_nothing(pipe: tuple[Listening, int]) -> None:
    listening, fd = pipe
    reports = Reports(fd)
    for _ in range(2_000):
        reports.hello({"numbers": "v" * 100})
    assert 0 < len(listening.heard()) < 2_000


async def test_a_reader_that_has_gone_stops_the_reports_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    reports = Reports(writing, every_s=0.001)
    reports.hello({})
    reports.ready()
    async with beside(MemoryBus(), reports):
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)


async def test_without_a_pipe_nothing_is_told() -> None:
    reports = Reports(None)
    reports.hello({})
    async with beside(MemoryBus(), reports):
        reports.ready()
