"""Reads what a run keeps aside: what waits at its joins, and for signals. Pure."""

import msgspec
from msgspec import Struct


class JoinStory(Struct, frozen=True):
    """A join that waits.

    Attributes:
        scope: The scope that it is in, empty for the run's own.
        arrived: Slots that have their message; of a gather none.
        missing: Slots that wait, each with how much of the run's work may yet lead to a message for it.
        gathered: Of a gather, how many messages have come; None for a join.
    """

    node: str
    scope: str
    arrived: tuple[str, ...]
    missing: dict[str, int]
    gathered: int | None = None


class SignalStory(Struct, frozen=True):
    """Work that waits for a signal: how much, and of which groups."""

    signal: str
    count: int
    streams: tuple[str, ...]


class _Parked(Struct, array_like=True):
    """What is parked for a signal; its frames are not read."""

    stream: str
    stash: str


_decode_parked = msgspec.msgpack.Decoder(_Parked).decode


def joins_of(kept: dict[bytes, bytes]) -> tuple[JoinStory, ...]:
    """Give the joins that wait."""
    fields = {name.decode(): value for name, value in kept.items()}
    return tuple(
        _join(name[1:], fields, is_gather=bool(opening)) for name, opening in sorted(fields.items()) if name[:1] == "b"
    )


def signals_of(kept: dict[bytes, bytes]) -> tuple[SignalStory, ...]:
    """Give the signals that are waited for."""
    streams: dict[str, list[str]] = {}
    for name, value in kept.items():
        signal, number, digits = name.decode().rpartition("#")
        if number and digits.isdigit() and signal[:1] == "p":
            streams.setdefault(signal[1:], []).append(_decode_parked(value).stream)
    return tuple(SignalStory(name, len(each), tuple(sorted(set(each)))) for name, each in sorted(streams.items()))


def _join(name: str, fields: dict[str, bytes], *, is_gather: bool) -> JoinStory:
    scope, _, node = name.rpartition(":")
    arrived = tuple(sorted(each.removeprefix(f"s{name}:") for each in fields if each.startswith(f"s{name}:")))
    fed = {each.removeprefix(f"c{name}:"): int(count) for each, count in fields.items() if each.startswith(f"c{name}:")}
    missing = {slot: count for slot, count in sorted(fed.items()) if slot not in arrived}
    return JoinStory(node, scope, arrived, missing, int(fields.get(f"g{name}", 0)) if is_gather else None)
