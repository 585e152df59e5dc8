"""What sets two trials of the same messages apart, in words: answers, ends of runs, order and state per key. Pure.

Order counts where the node asked for it, `order="ingress"`. Elsewhere work of a key comes in the order of its arrival,
which may differ; then what counts is that each piece of work is done once, and the state it leaves.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from headrace.errors import FailureKind, InvalidMessageError, RunError
from headrace.graph.plan import ExecutionPlan
from headrace.testing.record import Hop, Message, Record
from headrace.testing.trial import Trial
from headrace.wire.envelope import Framing

Compare = Callable[[Any], object]
_LONGEST = 300  # characters of a value that a failure shows


class DifferenceError(AssertionError):
    """Trials that must be alike are not; the text says where."""


class Sides(Struct, frozen=True):
    """What a failure calls the two trials, after the words of what differs: "without the crash"."""

    left: str
    right: str


class _Failed(Struct, frozen=True):
    """How a run failed, as far as it must be the same."""

    kind: FailureKind
    node: str
    error: str

    def __repr__(self) -> str:
        where = f" in node '{self.node}'" if self.node else ""
        return f"failed: {self.kind}{where}" + (f" ({self.error})" if self.error else "")


def whole(answer: Any) -> object:  # noqa: ANN401 - an answer's type is the pipe's
    """Compare all of an answer."""
    return answer


def compared(trial: Trial, compare: Compare) -> tuple[object, ...]:
    """Give what of a trial's answers must be the same; of a failed run that is its kind, node and exception's class."""
    return tuple(_failed(answer) if isinstance(answer, RunError) else compare(answer) for answer in trial.answers)


def differences(
    plan: ExecutionPlan, left: Trial, right: Trial, seen: tuple[tuple[object, ...], tuple[object, ...]], sides: Sides
) -> list[str]:
    """Say what differs; an empty list says nothing does.

    Args:
        seen: What `compared` gave for each.
    """
    lines = [
        *_answers(seen, sides),
        *_terminals(left.record, sides.left),
        *_terminals(right.record, sides.right),
        *_lanes(plan, left.record, right.record, sides),
        *_states(plan, left.record, right.record, sides),
    ]
    return [*lines, *_culprit(plan, left.record, right.record, sides)] if lines else []


def _answers(seen: tuple[tuple[object, ...], tuple[object, ...]], sides: Sides) -> Iterator[str]:
    for number, (one, other) in enumerate(zip(*seen, strict=True), 1):
        if one != other:
            yield from _both(f"the answer to message {number}", _shown(one), _shown(other), sides)


def _terminals(record: Record, side: str) -> Iterator[str]:
    for number, trace_id in enumerate(record.trace_ids, 1):
        if record.terminals[trace_id] != 1:
            yield f"message {number} had {record.terminals[trace_id]} answers {side}"


def _lanes(plan: ExecutionPlan, left: Record, right: Record, sides: Sides) -> Iterator[str]:
    for lane in dict.fromkeys((*left.lanes, *right.lanes)):
        one, other = left.lanes[lane], right.lanes[lane]
        what = f"the work of key '{_key_of(lane)}' at node '{_node_of(lane)}'"
        if Counter(_work(one)) != Counter(_work(other)):
            yield from _both(what, f"done {len(one)} times", f"done {len(other)} times", sides)
        elif _is_ordered(plan, lane) and _work(one) != _work(other):
            yield from _both(what, f"of messages {_order(one)}", f"of messages {_order(other)}", sides)


def _states(plan: ExecutionPlan, left: Record, right: Record, sides: Sides) -> Iterator[str]:
    for lane in dict.fromkeys((*left.states, *right.states)):
        one, other = _state(plan, left, lane), _state(plan, right, lane)
        if left.states.get(lane) != right.states.get(lane) and one != other:
            what = f"the state of key '{_key_of(lane)}' at node '{_node_of(lane)}'"
            yield from _both(what, _shown(one), _shown(other), sides)


def _culprit(plan: ExecutionPlan, left: Record, right: Record, sides: Sides) -> Iterator[str]:
    """Name the first node that took the same and gave something else."""
    before, after = _given_for(left.hops), _given_for(right.hops)
    for (message, node, taken), given in before.items():
        others = after.get((message, node, taken), given)
        if Counter(given) != Counter(others):
            one = next((each for each in given if each not in others), ())
            other = next((each for each in others if each not in given), ())
            took = _said(plan, taken)
            yield from _both(
                f"node '{node}', the first to differ, took {took} and gave",
                _said(plan, one),
                _said(plan, other),
                sides,
            )
            return


def _given_for(hops: Iterable[Hop]) -> dict[tuple[int, str, tuple[Message, ...]], list[tuple[Message, ...]]]:
    found: defaultdict[tuple[int, str, tuple[Message, ...]], list[tuple[Message, ...]]] = defaultdict(list)
    for hop in hops:
        found[hop.message, hop.node, hop.taken].append(hop.given)
    return found


def _both(what: str, left: str, right: str, sides: Sides) -> Iterator[str]:
    yield f"{what}:"
    yield f"  {sides.left}: {left}"
    yield f"  {sides.right}: {right}"


def _failed(error: RunError) -> _Failed:
    return _Failed(error.failure.kind, error.failure.node, error.failure.error)


def _work(hops: list[Hop]) -> list[tuple[int, tuple[str, ...]]]:
    """Tell work apart by whose it is and of what types; where what is in it differs, the answers or the states do."""
    return [(hop.message, tuple(message.type for message in hop.taken)) for hop in hops]


def _order(hops: list[Hop]) -> str:
    return ", ".join(str(hop.message) for hop in hops)


def _node_of(lane: str) -> str:
    return lane.split(".", 2)[1]


def _key_of(lane: str) -> str:
    return lane.split(".", 2)[2]


def _is_ordered(plan: ExecutionPlan, lane: str) -> bool:
    keyed = plan.nodes[_node_of(lane)].keyed
    return keyed is not None and keyed.order == "ingress"


def _state(plan: ExecutionPlan, record: Record, lane: str) -> object:
    keyed, saved = plan.nodes[_node_of(lane)].keyed, record.states.get(lane)
    if keyed is None or keyed.state is None or saved is None:
        return saved
    return keyed.state.decode(Framing().unwrap(saved))


def _said(plan: ExecutionPlan, messages: tuple[Message, ...]) -> str:
    return ", ".join(_value(plan, message) for message in messages) or "nothing"


def _value(plan: ExecutionPlan, message: Message) -> str:
    codec = plan.codecs.get(message.type)
    if codec is None:  # of a run that ended without a result, why
        return message.body.decode() or "an empty result"
    try:
        return _shown(codec.decode(message.body))
    except InvalidMessageError:
        return f"an invalid {message.type}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
