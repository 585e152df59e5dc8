"""A dead letter in words and in JSON. The messages in it are payload: they are shown only where that is asked for."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from headrace.bus.redis.inspect.letters import FoundLetter, parse_name
from headrace.errors import EnvelopeError
from headrace.wire.envelope import Envelope, Framing
from headrace_cli.wording import at, failure, span

GroupOption = Annotated[str, typer.Option("--group", help="Only of this group, as 'group' or 'pipe.group'.")]
KindOption = Annotated[str, typer.Option("--kind", help="Only of failures of this kind, such as step or timeout.")]
TraceOption = Annotated[str, typer.Option("--trace", help="Only of this run.")]


def parsed(name: str) -> tuple[str, int, str]:
    """Read the name of a letter as a command line gives it."""
    found = parse_name(name)
    if found is None:
        raise typer.BadParameter(f"'{name}' is no dead letter's name, which is PIPE.GROUP/PARTITION/ID")
    return found


def spelled(name: tuple[str, int, str]) -> str:
    """Spell the name of a letter as a command line takes it."""
    return "/".join(map(str, name))


def described(found: FoundLetter, now_ms: float) -> Iterator[tuple[str, str]]:
    """Give the lines that describe a letter."""
    letter = found.read
    yield "letter", found.name
    yield "group", found.stream
    if letter is None:
        yield "content", "none of ours: it cannot be read"
        return
    yield "run", letter.trace_id or "(unknown: the item could not be decoded)"
    yield "failure", f"{failure(letter.failure)}, source {letter.failure.source}"
    if letter.failure.detail:
        yield "detail", letter.failure.detail
    yield "attempts", str(letter.attempt)
    yield "deliveries", str(letter.deliveries)
    yield "first failed", f"{at(letter.first_ms)}, {span(now_ms - letter.first_ms)} ago"
    yield "given up", f"{at(letter.at_ms)}, {span(now_ms - letter.at_ms)} ago"
    yield "plan", letter.plan


def frames_of(found: FoundLetter, framing: Framing, *, with_body: bool) -> list[dict[str, Any]]:
    """Give the headers of each envelope of a letter; where one cannot be opened, why not."""
    frames = found.read.frames if found.read is not None else ()
    return [_frame(frame, framing, with_body=with_body) for frame in frames]


def _frame(frame: bytes, framing: Framing, *, with_body: bool) -> dict[str, Any]:
    try:
        envelope = framing.open(frame)
    except EnvelopeError as error:
        return {"size_bytes": len(frame), "error": str(error)}
    shown: dict[str, Any] = {"size_bytes": len(frame)}
    for name in Envelope.__struct_fields__:
        value = getattr(envelope, name)
        if name != "body" and value not in ("", (), {}, 0):
            shown[name] = value
    if with_body:
        shown["body"] = _body(envelope.body)
    return shown


def _body(body: bytes) -> Any:  # noqa: ANN401 - whatever the message is
    """Decode a message as far as that goes without its type: msgpack, or the JSON of a model."""
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            value: Any = decode(body)
            msgspec.json.encode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
            continue
        return value
    return repr(body)
