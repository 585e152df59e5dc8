"""Whether a pipe's answers survive crashes: one trial a hop and crash point, compared with a trial without a crash."""

from collections.abc import Callable, Iterable, Sequence

from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement
from headrace.graph.plan import ExecutionPlan
from headrace.testing.differences import Compare, DifferenceError, Sides, compared, differences, whole
from headrace.testing.record import Crash, CrashPoint
from headrace.testing.trial import DEFAULT_TIMEOUT_S, Trial, UnansweredError, in_memory, try_out

_Seen = tuple[Trial, tuple[object, ...]]  # how a trial ended, and what of its answers must be the same

_HINT = (
    "A hop that was cut off is done again, so its nodes are called again. Keep what a node remembers in State[...],\n"
    "and make what it does elsewhere idempotent, for example by ctx.invocation_id."
)
_FICKLE = (
    "A node remembers something outside of its State[...], or uses time or chance. Put what it remembers back with\n"
    "reset=, or say with compare= what of an answer must be the same."
)


async def survives(  # noqa: PLR0913 - one thing, with what may be said about it by name
    pipe: Pipe,
    messages: Sequence[object],
    *,
    placement: Placement | None = None,
    points: Iterable[CrashPoint] = tuple(CrashPoint),
    compare: Compare = whole,
    reset: Callable[[], object] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> tuple[Crash, ...]:
    """Crash a worker at every crash point of every hop, each in a trial of its own, and assert that nothing differs.

    What must not differ: each message's answer, that there is one, and the order and state of each key. The memory
    profile runs each group as a process of its own; the one that crashes is replaced.

    Args:
        messages: Started together, in order.
        placement: The groups; each node in a group of its own where it is left out.
        compare: Gives what of an answer must be the same, and whatever else must, such as rows that a node has written.
        reset: Called before each trial, to put back what the nodes have changed outside of the pipe.
        timeout_s: Seconds for one trial.

    Returns:
        The crashes there were. One that its trial never came by, because its run went another way, is not among them.

    Raises:
        DifferenceError: Something differs; its text says what, and where the crash was.
    """
    __tracebackhide__ = True
    plan = pipe.compile(placement or apart(pipe))

    async def trial(crash: Crash | None = None) -> _Seen:
        if reset is not None:
            reset()
        stage = in_memory(plan, tuple((group,) for group in plan.groups))
        ended = await try_out(stage, messages, crash=crash, timeout_s=timeout_s)
        return ended, compared(ended, compare)

    calm, again = await trial(), await trial()
    _assert_steady(plan, calm, again)
    wanted = frozenset(points)
    crashes: list[Crash] = []
    for crash in calm[0].record.crashes:
        if crash.point in wanted:
            try:
                crashed = await trial(crash)
            except UnansweredError as error:
                raise DifferenceError(_report(plan, crash, [str(error)])) from None
            _assert_alike(plan, crash, calm, crashed)
            crashes.extend((crash,) if crashed[0].record.has_crashed else ())
    return tuple(crashes)


def apart(pipe: Pipe) -> dict[str, str]:
    """Place every node in a group of its own, so that every edge goes over the bus."""
    return {node: f"group-{number}" for number, node in enumerate(pipe.compile().nodes, 1)}


def _assert_steady(plan: ExecutionPlan, one: _Seen, other: _Seen) -> None:
    __tracebackhide__ = True
    lines = differences(plan, one[0], other[0], (one[1], other[1]), Sides("at first", "the second time"))
    if lines:
        what = f"pipe '{plan.pipe}' gives other answers each time, without any crash"
        raise DifferenceError("\n".join((what, *(f"  {line}" for line in lines), _FICKLE)))


def _assert_alike(plan: ExecutionPlan, crash: Crash, calm: _Seen, crashed: _Seen) -> None:
    __tracebackhide__ = True
    sides = Sides("without the crash", "with the crash")
    lines = differences(plan, calm[0], crashed[0], (calm[1], crashed[1]), sides)
    if lines:
        raise DifferenceError(_report(plan, crash, lines))


def _report(plan: ExecutionPlan, crash: Crash, lines: list[str]) -> str:
    where = f"node '{crash.node}', call {crash.call} for message {crash.message}"
    what = f"pipe '{plan.pipe}' does not survive a crash {crash.point}, at the hop of {where}"
    return "\n".join((what, *(f"  {line}" for line in lines), _HINT))
