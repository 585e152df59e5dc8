"""`headrace doctor`: whether the server keeps what Headrace promises, and whether all work of all runs is there."""

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headrace.bus.redis.inspect.census import Census, take_census
from headrace.bus.redis.inspect.checks import Check
from headrace.bus.redis.inspect.doctor import examine
from headrace.bus.redis.inspect.findings import Finding, Verdict
from headrace.bus.redis.inspect.report import by_kind, census_checks
from headrace.kernel.clock import SystemClock
from headrace_cli.ending import run_to_end
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
from headrace_cli.wording import verdict

_INDENT = (0, 0, 0, 6)
_ALWAYS_SHOWN = ("in_flight", "found")
_SHOWN = 10  # findings of a kind; --json has them all


class _FindingLine(Struct, frozen=True):
    kind: str
    verdict: Verdict
    key: str
    run: str
    subject: str
    numbers: dict[str, int]
    what: str
    advice: str


class _Report(Struct, frozen=True):
    verdict: Verdict
    checks: Sequence[Check]
    findings: Sequence[_FindingLine]


def doctor(
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    no_runs: Annotated[bool, typer.Option("--no-runs", help="Look at the server only, not at the runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the server and all runs: which guarantees hold, and where work has leaked.

    Exit code: 0 where nothing fails (warnings are fine), 1 where something does, 2 for a wrong use.
    """
    settings = operate_settings(bus_url, namespace)
    raise typer.Exit(run_to_end(_doctor(settings, with_runs=not no_runs, as_json=as_json)))


async def _doctor(settings: OperateSettings, *, with_runs: bool, as_json: bool) -> int:
    async with inspecting(settings) as places:
        checks = await examine(places, settings.partitions, SystemClock())
        census = await take_census(places) if with_runs else Census()
    if with_runs:
        checks += census_checks(census)
    worst = _worst(checks)
    if as_json:
        write_json(_Report(worst, checks, [_line(finding) for finding in census.findings]))
    else:
        _write(checks, census.findings, settings.namespace)
    return EXIT_FOUND if worst is Verdict.FAIL else 0


def _worst(checks: Sequence[Check]) -> Verdict:
    found = {check.verdict for check in checks}
    return next((each for each in (Verdict.FAIL, Verdict.WARN) if each in found), Verdict.OK)


def _line(finding: Finding) -> _FindingLine:
    return _FindingLine(
        finding.kind,
        finding.verdict,
        finding.key,
        finding.run,
        finding.subject,
        dict(finding.numbers),
        finding.what,
        finding.advice,
    )


def _write(checks: Sequence[Check], findings: Sequence[Finding], namespace: str) -> None:
    out = console()
    servers = {check.at for check in checks if check.at}
    table = Table(title=f"{namespace} on {', '.join(sorted(servers))}", title_justify="left", pad_edge=False, box=None)
    for name in ("", "check", "found", "what it is about"):
        table.add_column(name, overflow="fold")
    for check in checks:
        found = Text(check.found)
        if len(servers) > 1 and check.at:
            found = Text(f"{check.at}: ").append(found)
        if check.advice:
            found.append(f"\n{check.advice}", style="dim")
        table.add_row(verdict(check.verdict), check.name, found, check.guarantee)
    out.print(table)
    for own in by_kind(findings).values():
        _write_findings(own)
    counts = {each: sum(check.verdict is each for check in checks) for each in Verdict}
    out.print()
    out.print(", ".join(f"{count} {each}" for each, count in counts.items() if count))


def _write_findings(own: Sequence[Finding]) -> None:
    out = console()
    first = own[0]
    out.print()
    out.print(verdict(first.verdict).append(f"  {first.what} ({len(own):,})", style="bold"))
    out.print(Padding(Text(f"to do: {first.advice}"), _INDENT))
    for finding in own[:_SHOWN]:
        out.print(Padding(_found(finding), _INDENT))
    if len(own) > _SHOWN:
        out.print(Padding(f"and {len(own) - _SHOWN:,} more; --json has them all", _INDENT))


def _found(finding: Finding) -> Text:
    named = [f"run {finding.run}"] if finding.run else []
    if not finding.run or finding.run not in finding.key:
        named.append(finding.key)
    numbers = [
        f"{name.replace('_', ' ')} {count:,}" for name, count in finding.numbers if count or name in _ALWAYS_SHOWN
    ]
    text = Text(" ".join([*named, finding.subject]).rstrip())
    return text.append(f"\n  {', '.join(numbers)}", style="dim") if numbers else text
