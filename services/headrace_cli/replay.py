"""`headrace replay`: a run, done again in this process alone, under a debugger if that is wanted.

A run that keeps its events keeps its entry message in its record, too, and is done again from there. Of any other the
bus has the dead letters, with their messages byte for byte: it is done again from the nodes that gave up.
"""

import pdb
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.inspect.letters import Wanted, all_letters
from headrace.bus.redis.inspect.places import Places
from headrace.bus.redis.inspect.story import Story, entry_of, story_of
from headrace.errors import (
    EnvelopeError,
    Failure,
    HeadraceError,
    InvalidMessageError,
    NotRedrivableError,
    UnknownRunError,
    WaitTimeoutError,
)
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Submission
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.load import load_plan
from headrace.runtime.redrive import Redrive
from headrace.runtime.submissions import Submissions
from headrace.settings.bus import framing
from headrace.wire.envelope import Framing
from headrace_cli.ending import run_to_end
from headrace_cli.lines import answer_line
from headrace_cli.operate import (
    EXIT_FOUND,
    AsJson,
    BusUrl,
    Namespace,
    OperateSettings,
    inspecting,
    operate_settings,
    partition_of_run,
    write_json,
)
from headrace_cli.options import App, PlacementFile
from headrace_cli.steer import TraceId


class Replayed(Struct, frozen=True):
    """What was done again, in JSON.

    Attributes:
        letter: The dead letter that it began with; empty for the entry message.
        node: That gave the letter up.
        answer: As `headrace run --output` writes it.
    """

    letter: str
    node: str
    is_result: bool
    answer: msgspec.Raw


class Start(Struct, frozen=True):
    """Where a replay begins; `letter` and `node` as in what comes of it, `make` gives the submission."""

    letter: str
    node: str
    make: Callable[[], Submission]


class Errors:
    """Keeps the last error that a node raised, as a classifier of failures, which has no say."""

    def __init__(self) -> None:
        self.last: Exception | None = None

    def __call__(self, error: Exception, _failure: Failure) -> None:
        """Keep an error."""
        self.last = error


def replay(  # noqa: PLR0913 - a command's parameters are its flags
    trace_id: TraceId,
    app: App,
    *,
    bus_url: BusUrl = None,
    namespace: Namespace = None,
    placement: PlacementFile = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0, help="The most seconds that it may take.")] = 300,
    debug: Annotated[bool, typer.Option("--pdb", help="Enter the debugger where the last error was raised.")] = False,
    as_json: AsJson = False,
) -> None:
    """Do a run again, in this process, with the code that is here.

    A run that keeps its events is done again from its entry message; any other from its dead letters, which stay.

    Nothing is written to the bus. What nodes do outside of it they do again. A keyed node has no state of its key.

    Exit code: 0 where it completes now, 1 where it does not, or nothing is kept that a replay could start from.
    """
    settings = operate_settings(bus_url, namespace, placement=placement)
    partition_of_run(trace_id)
    plan = load_plan(app, settings.placement)
    errors = Errors()
    plan = replace(plan, classifiers=(*plan.classifiers, errors))
    code = run_to_end(_replay(settings, plan, trace_id, timeout_s, as_json=as_json))
    if debug and errors.last is not None:
        pdb.post_mortem(errors.last.__traceback__)
    raise typer.Exit(code)


async def _replay(
    settings: OperateSettings, plan: ExecutionPlan, trace_id: str, timeout_s: float, *, as_json: bool
) -> int:
    async with inspecting(settings) as places:
        starts = await _starts(places, plan, framing(settings), trace_id)
        story = None if starts else await story_of(places, trace_id)
    if not starts:
        if story is None:
            raise UnknownRunError(trace_id)
        sys.stderr.write(f"error[not_replayable]: run '{trace_id}' {_why_not(story)}\n")
        return EXIT_FOUND
    done = await _again(plan, framing(settings), starts, timeout_s)
    if as_json:
        write_json({"trace_id": trace_id, "replayed": done})
    else:
        for each in done:
            begun = f"{each.letter} from node {each.node}" if each.letter else f"{trace_id} from its entry message"
            sys.stdout.write(f"{begun}: {bytes(each.answer).decode()}\n")
    return 0 if all(each.is_result for each in done) else EXIT_FOUND


async def _starts(places: Places, plan: ExecutionPlan, frames: Framing, trace_id: str) -> list[Start]:
    entry = await entry_of(places, trace_id)
    if entry:
        return [Start("", "", partial(Submissions(plan, frames).again, entry))]
    redrive = Redrive(plan, frames)
    letters = [letter async for letter in all_letters(places, Wanted(pipe=plan.pipe, trace_id=trace_id))]
    return [
        Start(
            letter.name,
            letter.read.failure.node if letter.read else "",
            partial(redrive.make, letter.stream, letter.letter),
        )
        for letter in letters
    ]


def _why_not(story: Story) -> str:
    if story.state == "open":
        return "is open and nothing of it was given up; headrace trace shows where it waits"
    return f"is {story.state} and left no dead letter; what a run was started with is kept where it keeps its events"


async def _again(plan: ExecutionPlan, frames: Framing, starts: Sequence[Start], timeout_s: float) -> list[Replayed]:
    bus = MemoryBus()
    async with (
        consuming(plan, bus, frames, tuple(plan.groups)),
        coordinating(bus),
        connected(plan, bus, frames) as client,
    ):
        done: list[Replayed] = []
        for start in starts:
            try:
                submission = start.make()
                await bus.submit([submission])
                terminal = await client.wait(submission.trace_id, timeout_s)
            except (EnvelopeError, InvalidMessageError, NotRedrivableError, WaitTimeoutError) as error:
                done.append(Replayed(start.letter, start.node, is_result=False, answer=_refused(error)))
            else:
                answer, is_result = answer_line(client, submission.trace_id, terminal)
                done.append(Replayed(start.letter, start.node, is_result=is_result, answer=msgspec.Raw(answer)))
        return done


def _refused(error: HeadraceError) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"error": {"code": error.code, "detail": str(error)}}))
