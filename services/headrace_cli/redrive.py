"""`headrace dlq redrive` and `purge`: dead letters started again, or thrown away."""

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import typer

from headrace.bus.redis.inspect.letters import FoundLetter, Wanted, all_letters, letter_of
from headrace.bus.redis.inspect.places import Places
from headrace.errors import NotRedrivableError, SettingsError
from headrace.graph.plan import ExecutionPlan
from headrace.runtime.compose import connected
from headrace.runtime.load import load_plan
from headrace.settings.bus import framing
from headrace_cli.ending import run_to_end
from headrace_cli.letters import GroupOption, KindOption, TraceOption, parsed, spelled
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    bus_of,
    inspecting,
    operate_settings,
    reaching,
    write_json,
)
from headrace_cli.options import App, PlacementFile

AllOption = Annotated[bool, typer.Option("--all", help="All that the filters leave, without naming them.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As `headrace dlq ls` shows them.")]


def redrive(  # noqa: PLR0913 - a command's parameters are its flags
    app: App,
    ids: Ids = None,
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    placement: PlacementFile = None,
    all_of_them: AllOption = False,
    group: GroupOption = "",
    kind: KindOption = "",
    trace: TraceOption = "",
    as_json: AsJson = False,
) -> None:
    """Start the runs that do the work of dead letters again, each at the node that gave up.

    Exit code: 0 where all were, 1 where some were gone or cannot be.
    """
    names = _chosen(ids, all_of_them=all_of_them)
    settings = operate_settings(bus_url, namespace, placement=placement)
    plan = load_plan(app, settings.placement)
    wanted = Wanted(plan.pipe, group, kind, trace)
    raise typer.Exit(run_to_end(_redrive(settings, plan, names, wanted, as_json=as_json)))


async def _redrive(
    settings: OperateSettings,
    plan: ExecutionPlan,
    names: Sequence[tuple[str, int, str]],
    wanted: Wanted,
    *,
    as_json: bool,
) -> int:
    async with inspecting(settings) as places:
        letters, gone = await _looked_up(places, names, wanted)
    started: dict[str, str] = {}
    refused: dict[str, str] = {}
    settings = reaching(settings, max((letter.letter.partition for letter in letters), default=0))
    async with (
        bus_of(settings) as bus,
        connected(plan, bus, framing(settings), partitions=settings.partitions) as client,
    ):
        for letter in letters:
            pipe, _, group = letter.stream.partition(".")
            if pipe != plan.pipe or group not in plan.groups:
                refused[letter.name] = f"pipe '{plan.pipe}' has no such group now"
                continue
            try:
                new = await client.redrive(group, letter.letter)
            except NotRedrivableError as error:
                refused[letter.name] = str(error)
                continue
            if new is None:
                gone.append(letter.name)
            else:
                started[letter.name] = new
    if as_json:
        write_json({"started": started, "gone": gone, "refused": refused})
    else:
        _write_redriven(started, gone, refused)
    return EXIT_FOUND if gone or refused else 0


def _write_redriven(started: dict[str, str], gone: Sequence[str], refused: dict[str, str]) -> None:
    for name, trace_id in started.items():
        sys.stdout.write(f"{name} is run {trace_id}\n")
    for name in gone:
        sys.stdout.write(f"{name} was gone\n")
    for name, why in refused.items():
        sys.stdout.write(f"{name} stays: {why}\n")
    sys.stdout.write(f"{len(started)} started, {len(gone)} gone, {len(refused)} refused\n")


def purge(  # noqa: PLR0913 - a command's parameters are its flags
    ids: Ids = None,
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    all_of_them: AllOption = False,
    pipe: Annotated[str, typer.Option(help="Only of this pipe, by its name.")] = "",
    group: GroupOption = "",
    kind: KindOption = "",
    trace: TraceOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is thrown away is gone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Throw dead letters away. Without --yes it only says how many it would.

    Exit code: 0 where it was done, 1 where some were gone, 2 without --yes.
    """
    names = _chosen(ids, all_of_them=all_of_them)
    settings = operate_settings(bus_url, namespace)
    wanted = Wanted(pipe, group, kind, trace)
    raise typer.Exit(run_to_end(_purge(settings, names, wanted, is_meant=yes, as_json=as_json)))


async def _purge(
    settings: OperateSettings, names: Sequence[tuple[str, int, str]], wanted: Wanted, *, is_meant: bool, as_json: bool
) -> int:
    async with inspecting(settings) as places:
        letters, gone = await _looked_up(places, names, wanted)
    if not is_meant:
        raise SettingsError("yes", f"is missing: this would throw {len(letters):,} dead letters away; give --yes")
    settings = reaching(settings, max((letter.letter.partition for letter in letters), default=0))
    purged = 0
    async with bus_of(settings) as bus:
        for stream, own in groupby(sorted(letters, key=_stream), key=_stream):
            purged += await bus.purge(stream, [letter.letter for letter in own])
    missing = len(gone) + len(letters) - purged
    if as_json:
        write_json({"purged": purged, "gone": missing})
    else:
        sys.stdout.write(f"{purged} purged, {missing} gone\n")
    return EXIT_FOUND if missing else 0


def _stream(letter: FoundLetter) -> str:
    return letter.stream


def _chosen(ids: Sequence[str] | None, *, all_of_them: bool) -> list[tuple[str, int, str]]:
    if bool(ids) == all_of_them:
        raise typer.BadParameter("name letters, or give --all")
    return [parsed(each) for each in ids or ()]


async def _looked_up(
    places: Places, names: Sequence[tuple[str, int, str]], wanted: Wanted
) -> tuple[list[FoundLetter], list[str]]:
    """Give the letters that are meant, and the names of those that are gone; without names all that are wanted."""
    if not names:
        return [letter async for letter in all_letters(places, wanted)], []
    looked_up = [(name, await letter_of(places, name)) for name in names]
    gone = [spelled(name) for name, letter in looked_up if letter is None]
    return [letter for _, letter in looked_up if letter is not None], gone
