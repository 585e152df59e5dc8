"""The contract of a channel, within a process or between many. A channel's test subclasses it and says how to make one.

class TestOurs(ChannelContract):
    @pytest.fixture
    def make(self) -> MakeChannel: ...
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

import anyio
import pytest
from msgspec import Struct

from headrace.channels.ends import Nothing, Received, Receiver, Sender, Sent
from headrace.errors import ChannelClosedError


class Note(Struct, frozen=True):
    """What the contract sends."""

    number: int


MakeChannel = Callable[[int], AbstractAsyncContextManager[tuple[Sender[Note], Receiver[Note]]]]


class ChannelContract(ABC):
    """What every channel promises."""

    @pytest.fixture
    @abstractmethod
    def make(self) -> MakeChannel:
        """Give what makes a channel of a capacity; leaving the context closes what is still open."""

    @pytest.fixture
    async def ends(self, make: MakeChannel) -> AsyncGenerator[tuple[Sender[Note], Receiver[Note]]]:
        async with make(4) as ends:
            yield ends

    async def test_messages_come_in_the_order_of_sending(self, ends: tuple[Sender[Note], Receiver[Note]]) -> None:
        tx, rx = ends
        for number in range(3):
            await tx.send(Note(number))
        assert [await rx.recv() for _ in range(3)] == [Note(0), Note(1), Note(2)]

    async def test_each_message_goes_to_exactly_one_receiver(self, ends: tuple[Sender[Note], Receiver[Note]]) -> None:
        tx, rx = ends
        got: list[int] = []

        async def receive(receiver: Receiver[Note]) -> None:
            async with receiver:
                async for note in receiver:
                    got.append(note.number)  # noqa: PERF401 - what was got when a test fails is worth seeing

        async with anyio.create_task_group() as tasks:
            for receiver in (rx, rx.clone(), rx.clone()):
                tasks.start_soon(receive, receiver)
            async with tx:
                for number in range(20):
                    await tx.send(Note(number))
        assert sorted(got) == list(range(20))

    async def test_a_full_channel_has_its_sender_wait_until_something_is_received(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        sent: list[int] = []

        async def send_all() -> None:
            for number in range(6):
                await tx.send(Note(number))
                sent.append(number)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_all)
            while len(sent) < 4:  # noqa: ASYNC110 - what a task has done tells nobody
                await anyio.sleep(0.001)
            assert await tx.try_send(Note(9)) is Sent.FULL
            assert [(await rx.recv()).number for _ in range(6)] == list(range(6))
        assert sent == list(range(6))

    async def test_what_tries_says_what_it_did(self, ends: tuple[Sender[Note], Receiver[Note]]) -> None:
        tx, rx = ends
        assert await rx.try_recv() is Nothing.EMPTY
        assert await tx.try_send(Note(1)) is Sent.SENT
        assert await rx.try_recv() == Received(Note(1))
        await tx.aclose()
        assert await rx.try_recv() is Nothing.CLOSED
        assert await tx.try_send(Note(2)) is Sent.CLOSED

    async def test_receivers_get_what_was_sent_before_the_last_sender_closed(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        other = tx.clone()
        await tx.send(Note(1))
        await tx.aclose()
        await tx.aclose()
        await other.send(Note(2))
        await other.aclose()
        assert [note async for note in rx] == [Note(1), Note(2)]
        with pytest.raises(ChannelClosedError):
            await rx.recv()

    async def test_a_receiver_that_waits_is_told_when_the_last_sender_closes(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        got: list[Note] = []

        async def receive() -> None:
            got.extend([note async for note in rx])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await anyio.sleep(0.01)
            await tx.aclose()
        assert got == []

    async def test_nothing_can_be_sent_when_the_last_receiver_has_closed(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        other = rx.clone()
        await rx.aclose()
        await tx.send(Note(1))
        assert await other.recv() == Note(1)
        await other.aclose()
        assert await tx.try_send(Note(2)) is Sent.CLOSED
        with pytest.raises(ChannelClosedError):
            await tx.send(Note(2))

    async def test_a_sender_that_waits_is_told_when_the_last_receiver_closes(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        told: list[bool] = []

        async def fill() -> None:
            try:
                for number in range(9):
                    await tx.send(Note(number))
            except ChannelClosedError:
                told.append(True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fill)
            while await tx.try_send(Note(0)) is not Sent.FULL:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.001)
            await rx.aclose()
        assert told == [True]

    async def test_a_closed_end_does_nothing_more_and_has_no_clones(
        self, ends: tuple[Sender[Note], Receiver[Note]]
    ) -> None:
        tx, rx = ends
        await tx.aclose()
        await rx.aclose()
        with pytest.raises(ChannelClosedError):
            await tx.send(Note(1))
        with pytest.raises(ChannelClosedError):
            await rx.recv()
        with pytest.raises(ChannelClosedError):
            tx.clone()
        with pytest.raises(ChannelClosedError):
            rx.clone()
        assert await rx.try_recv() is Nothing.CLOSED

    async def test_a_wait_that_is_cancelled_loses_nothing(self, ends: tuple[Sender[Note], Receiver[Note]]) -> None:
        tx, rx = ends
        for number in range(5):
            with anyio.move_on_after(0.005):
                await rx.recv()
            await tx.send(Note(number))
            assert await rx.recv() == Note(number)
