"""Reads stream entries as Redis gives them into the ledger's values. Pure."""

from collections.abc import Sequence

from headrace.ledger.values import Delivery, Entry, Item, RunEvent, RunState, Terminal, TerminalEvent

RawEntry = tuple[bytes, Sequence[bytes] | None]


def delivery(partition: int, entry_id: bytes, deliveries: int, fields: Sequence[bytes]) -> Delivery:
    """Read an entry of a group's stream: pairs of ticket and frame, then the lane and its state, or the stash."""
    lane, state, stash = "", None, ""
    items: list[Item] = []
    unticketed: list[bytes] = []
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name == b"0":
            unticketed.append(value)
        elif name == b"lane":
            lane = value.decode(errors="replace")
        elif name == b"state":
            state = value
        elif name == b"stash":
            stash = value.decode(errors="replace")
        elif name.isdigit():
            items.append(Item((value,), int(name)))
        else:
            unticketed.append(value)
    if unticketed:
        items.append(Item(tuple(unticketed), stash=stash))
    return Delivery(partition, entry_id.decode(), deliveries, Entry(tuple(items), lane, state))


def terminal_event(partition: int, entry_id: bytes, fields: Sequence[bytes]) -> TerminalEvent:
    """Read an entry of the replies stream or of an inbox."""
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    terminal = Terminal(RunState(values[b"state"].decode()), values[b"terminal"])
    return TerminalEvent(values[b"trace"].decode(), terminal, partition, entry_id.decode())


def run_event(entry_id: bytes, fields: Sequence[bytes]) -> RunEvent:
    """Read an entry of a run's events."""
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    seq, at_ms = int(entry_id.partition(b"-")[0]), int(values[b"at"])
    if b"state" in values:
        terminal = Terminal(RunState(values[b"state"].decode()), values[b"terminal"])
        return RunEvent(seq, at_ms, terminal=terminal)
    return RunEvent(seq, at_ms, values.get(b"event", b""), values.get(b"replaced", b"").decode())
