"""Whether a pipe answers the same in memory and elsewhere (I6): one trial in each place, compared."""

from collections.abc import Sequence

from headrace.bus.protocol import Bus
from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement
from headrace.testing.crashes import apart
from headrace.testing.differences import Compare, DifferenceError, Sides, compared, differences, whole
from headrace.testing.trial import DEFAULT_TIMEOUT_S, Stage, in_memory, try_out

_HINT = (
    "Nodes without a key run side by side and overtake each other. Where an answer depends on what came before it,\n"
    'give its node a key, State[...] and order="ingress".'
)


async def parity(
    pipe: Pipe,
    messages: Sequence[object],
    bus: Bus,
    *,
    placement: Placement | None = None,
    compare: Compare = whole,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> None:
    """Run messages in memory, in one process, and over another bus, a consumer a group; assert that nothing differs.

    What must not differ: each message's answer, or how its run failed; that there is one; order and state of each key.

    Args:
        messages: Started together, in order.
        bus: With nothing in it.
        placement: The groups over the bus; each node in a group of its own where it is left out.
        compare: Gives what of an answer must be the same.
        timeout_s: Seconds for either.

    Raises:
        DifferenceError: Something differs; its text says what.
    """
    __tracebackhide__ = True
    here, there = pipe.compile(), pipe.compile(placement or apart(pipe))
    local = await try_out(in_memory(here, (tuple(here.groups),)), messages, timeout_s=timeout_s)
    seen = compared(local, compare)
    spread = tuple((group,) for group in there.groups)
    remote = await try_out(Stage(there, bus, spread), messages, timeout_s=timeout_s)
    sides = Sides("in memory", f"on {type(bus).__name__}")
    lines = differences(there, local, remote, (seen, compared(remote, compare)), sides)
    if lines:
        what = f"pipe '{pipe.name}' does not answer alike in memory and on {type(bus).__name__}"
        raise DifferenceError("\n".join((what, *(f"  {line}" for line in lines), _HINT)))
