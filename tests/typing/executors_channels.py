"""The types that a user of executors and channels sees. Checked by mypy, never run."""

from collections.abc import AsyncGenerator
from typing import assert_type

from msgspec import Struct

from headrace.bus.memory.bus import MemoryBus
from headrace.channels import (
    BroadcastReceiver,
    Lagged,
    Nothing,
    Received,
    Receiver,
    Selected,
    Sender,
    Sent,
    broadcast,
    channel,
    oneshot,
    select,
    watch,
)
from headrace.channels.distributed import DistributedReceiver, DistributedSender
from headrace.channels.local import LocalReceiver, LocalSender
from headrace.executors import Cancelled, Executor, ExitReason, TaskHandle


class Note(Struct):
    text: str


def length(text: str) -> int:
    return len(text)


async def length_later(text: str) -> int:
    return len(text)


async def check_executors(executor: Executor, names: list[str]) -> None:
    assert_type(await executor.submit(length, "a"), TaskHandle[int])
    handle = await executor.submit(length_later, "a")
    assert_type(handle, TaskHandle[int])
    assert_type(await handle, int)
    assert_type(handle.result(), int)
    assert_type(handle.cancel("no need"), Cancelled)
    assert_type(handle.exit_reason, ExitReason | None)
    assert_type(await executor.map(length, names), list[int])
    assert_type(await executor.map(length_later, names), list[int])
    assert_type(executor.imap(length_later, names), AsyncGenerator[int, None])
    assert_type(await executor.gather(lambda: 1, lambda: 2), list[int])


async def check_channels() -> None:
    tx, rx = channel(int)
    assert_type(tx, LocalSender[int])
    assert_type(rx, LocalReceiver[int])
    assert_type(await rx.recv(), int)
    assert_type(await rx.try_recv(), Received[int] | Nothing)
    assert_type(await tx.try_send(1), Sent)
    assert_type(await select(rx, rx.clone()), Selected[int])
    far_tx, far_rx = channel(Note, distributed=True, bus=MemoryBus(), name="notes")
    assert_type(far_tx, DistributedSender[Note])
    assert_type(far_rx, DistributedReceiver[Note])
    assert_type(await far_rx.recv(), Note)
    senders: list[Sender[Note]] = [far_tx, channel(Note)[0]]
    receivers: list[Receiver[Note]] = [far_rx, channel(Note)[1]]
    assert_type(await receivers[0].clone().recv(), Note)
    assert_type(senders[0].clone(), Sender[Note])


async def check_others() -> None:
    _, one = oneshot(str)
    assert_type(await one.recv(), str)
    sender, receiver = broadcast(str)
    assert_type(receiver, BroadcastReceiver[str])
    assert_type(await receiver.try_recv(), Received[str] | Lagged | Nothing)
    assert_type(sender.send("a"), int)
    _, level = watch("info")
    assert_type(level.borrow(), str)
