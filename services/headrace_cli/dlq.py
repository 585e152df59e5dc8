"""`headrace dlq`: dead letters, looked at, started again or thrown away."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from headrace.bus.redis.inspect.letters import FoundLetter, Wanted, all_letters, letter_of
from headrace.kernel.clock import SystemClock
from headrace.settings.bus import framing
from headrace_cli.ending import run_to_end
from headrace_cli.letters import GroupOption, KindOption, TraceOption, described, frames_of, parsed, spelled
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    console,
    inspecting,
    operate_settings,
    write_json,
)
from headrace_cli.redrive import purge, redrive
from headrace_cli.wording import span

_MS = 1000

dlq = typer.Typer(
    name="dlq",
    help="Look at dead letters, start them again, or throw them away.",
    no_args_is_help=True,
    add_completion=False,
)


@dlq.command("ls")
def list_letters(  # noqa: PLR0913 - a command's parameters are its flags
    pipe: Annotated[str, typer.Argument(help="Only of this pipe, by its name.")] = "",
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    group: GroupOption = "",
    kind: KindOption = "",
    trace: TraceOption = "",
    limit: Annotated[int, typer.Option(min=1, help="The most letters to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, group by group, oldest first. Exit code 0, also where there are none."""
    settings = operate_settings(bus_url, namespace)
    wanted = Wanted(pipe, group, kind, trace)
    raise typer.Exit(run_to_end(_list(settings, wanted, limit, as_json=as_json)))


async def _list(settings: OperateSettings, wanted: Wanted, limit: int, *, as_json: bool) -> int:
    shown: list[FoundLetter] = []
    total = 0
    async with inspecting(settings) as places:
        async for letter in all_letters(places, wanted):
            total += 1
            if len(shown) < limit:
                shown.append(letter)
    if as_json:
        write_json({"letters": [letter.line for letter in shown], "matched": total})
    else:
        _write(shown, total)
    return 0


def _write(shown: Sequence[FoundLetter], total: int) -> None:
    out, now_ms = console(), SystemClock().now() * _MS
    table = Table(box=None, pad_edge=False)
    for name in ("letter, and its run", "node", "failure, and its source"):
        table.add_column(name, overflow="fold")
    for name in ("tries", "handed out"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("given up", justify="right", no_wrap=True)
    for found in shown:
        letter = found.read
        if letter is None:
            table.add_row(found.name, "", "(none of ours)", "", "", "")
            continue
        where = Text(found.name).append(f"\n{letter.trace_id}", style="dim")
        why = Text(str(letter.failure.kind) + (f" ({letter.failure.error})" if letter.failure.error else ""))
        why.append(f"\n{letter.failure.source}", style="dim")
        times = Text(f"{span(now_ms - letter.at_ms)} ago")
        if letter.first_ms != letter.at_ms:
            times.append(f"\nfirst {span(now_ms - letter.first_ms)} ago", style="dim")
        table.add_row(where, letter.failure.node, why, str(letter.attempt), str(letter.deliveries), times)
    if shown:
        out.print(table)
    out.print(f"{len(shown):,} of {total:,} dead letters" if total else "no dead letters")


@dlq.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `headrace dlq ls` shows it.", show_default=False)],
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    body: Annotated[bool, typer.Option("--body", help="The messages too, which may hold what is private.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show all of a dead letter: why, and the headers of its envelopes. Exit code 1 where it is gone."""
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_show(settings, parsed(letter_id), with_body=body, as_json=as_json)))


async def _show(settings: OperateSettings, name: tuple[str, int, str], *, with_body: bool, as_json: bool) -> int:
    async with inspecting(settings) as places:
        found = await letter_of(places, name)
    if found is None:
        return _gone(name)
    frames = frames_of(found, framing(settings), with_body=with_body)
    if as_json:
        write_json({"letter": found.line, "frames": frames})
        return 0
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for field, value in described(found, SystemClock().now() * _MS):
        table.add_row(field, value)
    for number, frame in enumerate(frames, 1):
        table.add_row("", "")
        table.add_row(f"envelope {number}", frame.pop("error", "") or f"{frame.pop('size_bytes')} bytes")
        for field, value in frame.items():
            table.add_row(f"  {field}", str(value))
    console().print(Group(table))
    return 0


dlq.command()(redrive)
dlq.command()(purge)


def _gone(name: tuple[str, int, str]) -> int:
    sys.stderr.write(f"error[unknown_letter]: there is no dead letter '{spelled(name)}' (any more)\n")
    return EXIT_FOUND
