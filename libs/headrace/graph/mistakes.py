"""Mistakes in a pipe: values that compile collects, and the one place that words them.

A mistake says what is wrong, where, and what to do; where a name is wrong it gives the nearest right one.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_SHOWN_NAMES = 6  # when nothing is near; more than a line holds helps nobody


class MistakeKind(StrEnum):
    """What can be wrong; the value is stable and for machines."""

    NO_NODES = "no_nodes"
    INVALID_NAME = "invalid_name"
    DUPLICATE_NODE = "duplicate_node"
    NOT_A_FUNCTION = "not_a_function"
    UNRESOLVED_ANNOTATION = "unresolved_annotation"
    MISSING_ANNOTATION = "missing_annotation"
    MISSING_RETURN = "missing_return"
    UNUSABLE_PARAMETER = "unusable_parameter"
    NOT_A_MESSAGE = "not_a_message"
    NO_MESSAGE_PARAMETER = "no_message_parameter"
    INDISTINCT_SLOTS = "indistinct_slots"
    MISPLACED_MARK = "misplaced_mark"
    MIXED_GATHER = "mixed_gather"
    REPEATED_PARAMETER = "repeated_parameter"
    MIXED_SERIES = "mixed_series"
    UNDECLARED_SERIES = "undeclared_series"
    UNKNOWN_OPTION = "unknown_option"
    BAD_OPTION = "bad_option"
    TERMINAL_WITH_TARGET = "terminal_with_target"
    WRONG_EXECUTOR = "wrong_executor"
    OPTION_WITHOUT_OUTPUT = "option_without_output"
    STATE_WITHOUT_KEY = "state_without_key"
    STATE_NEEDS_ARGUMENTS = "state_needs_arguments"
    OPTION_WITHOUT_STATE = "option_without_state"
    ORDER_WITHOUT_KEY = "order_without_key"
    KEYED_JOIN = "keyed_join"
    BARRIER_WITHOUT_JOIN = "barrier_without_join"
    SIGNAL_WITHOUT_SUSPEND = "signal_without_suspend"
    SIGNAL_OF_TWO_TYPES = "signal_of_two_types"
    UNKNOWN_KEY = "unknown_key"
    UNSERIALISABLE = "unserialisable"
    SAME_TYPE_NAME = "same_type_name"
    UNKNOWN_TARGET = "unknown_target"
    UNROUTABLE_OUTPUT = "unroutable_output"
    UNKNOWN_PLACEMENT = "unknown_placement"
    NOT_PLACED = "not_placed"
    NO_ENTRY = "no_entry"
    AMBIGUOUS_ENTRY = "ambiguous_entry"
    UNCONSUMED_ENTRY = "unconsumed_entry"
    UNREACHABLE_NODE = "unreachable_node"
    UNFED_JOIN = "unfed_join"
    EMPTY_SLOT = "empty_slot"
    GATHER_WITHOUT_FAN_OUT = "gather_without_fan_out"
    JOIN_ACROSS_SCOPES = "join_across_scopes"
    UNBOUNDED_CYCLE = "unbounded_cycle"


_TEXTS: Mapping[MistakeKind, str] = {
    MistakeKind.NO_NODES: "the pipe has no nodes; put @pipe.node on a function",
    MistakeKind.INVALID_NAME: "{what} name '{wrong}' does not match {pattern}",
    MistakeKind.DUPLICATE_NODE: "this name is taken by the node at {first}; give one of the two another name=",
    MistakeKind.NOT_A_FUNCTION: "a {type} is no function; write a def that calls it",
    MistakeKind.UNRESOLVED_ANNOTATION: "the annotation of {of} cannot be resolved: {why}",
    MistakeKind.MISSING_ANNOTATION: "{of} has no annotation; give its message type, Inject[...], State[...] or Context",
    MistakeKind.MISSING_RETURN: "the return has no annotation; give the type sent on, or None",
    MistakeKind.UNUSABLE_PARAMETER: "{of} is {how}; parameters are passed by name, one value each",
    MistakeKind.NOT_A_MESSAGE: "{of} is '{type}', which is no message type; messages are {messages}",
    MistakeKind.NO_MESSAGE_PARAMETER: "no parameter takes a message; annotate one with a message type",
    MistakeKind.INDISTINCT_SLOTS: "parameters '{first}' and '{second}' both take '{type}'; a join needs a type each",
    MistakeKind.MISPLACED_MARK: "{mark} on {of} {why}",
    MistakeKind.MIXED_GATHER: "'{slot}' gathers, beside a message; a gather is a node of its own: "
    "send its result to the join",
    MistakeKind.REPEATED_PARAMETER: "parameters '{first}' and '{second}' are both {what}; keep one",
    MistakeKind.MIXED_SERIES: "the return mixes a series with '{type}'; give all in the series",
    MistakeKind.UNDECLARED_SERIES: "{how}; annotate the return as {right}",
    MistakeKind.UNKNOWN_OPTION: "'{wrong}' is no option of a node",
    MistakeKind.BAD_OPTION: "{option}={value} must be {bound}",
    MistakeKind.TERMINAL_WITH_TARGET: "to='{target}' and terminal=True contradict each other; keep one",
    MistakeKind.WRONG_EXECUTOR: "executor='{executor}' is for {of}; {do}, or leave it out",
    MistakeKind.OPTION_WITHOUT_OUTPUT: "{option} has nothing to act on: the return declares no message",
    MistakeKind.STATE_WITHOUT_KEY: "parameter '{parameter}' takes State, which belongs to a key; give key=",
    MistakeKind.STATE_NEEDS_ARGUMENTS: "state type '{type}' needs arguments; give its fields defaults",
    MistakeKind.OPTION_WITHOUT_STATE: "{option} has nothing to act on: no parameter takes State",
    MistakeKind.ORDER_WITHOUT_KEY: "order= is the order within a key; give key=",
    MistakeKind.KEYED_JOIN: "key= on a join is not supported; key the node that the join sends to",
    MistakeKind.BARRIER_WITHOUT_JOIN: "barrier_timeout= bounds the wait of a join or gather, and this is neither",
    MistakeKind.SIGNAL_WITHOUT_SUSPEND: "'{signal}' waits for a signal, but the return lacks Suspend, so nothing waits",
    MistakeKind.SIGNAL_OF_TWO_TYPES: "signal '{signal}' is '{type}' here and '{other}' in node '{node}'; rename one",
    MistakeKind.UNKNOWN_KEY: "key='{wrong}' is no field of {what} '{type}'; a constant is key=lambda _: '{wrong}'",
    MistakeKind.UNSERIALISABLE: "message type '{type}' has no form on the wire: {why}",
    MistakeKind.SAME_TYPE_NAME: "message types {first} and {second} are both '{name}' on the wire; rename one",
    MistakeKind.UNKNOWN_TARGET: "to='{wrong}' names no node",
    MistakeKind.UNROUTABLE_OUTPUT: "output '{type}' cannot go to '{target}', which takes {takes}",
    MistakeKind.UNKNOWN_PLACEMENT: "the placement puts '{wrong}' into group '{group}', but it is no node",
    MistakeKind.NOT_PLACED: "no group runs it; name it in the placement, give group=, or give the placement a default",
    MistakeKind.NO_ENTRY: "every type that a node takes is sent by a node, so nothing starts a run; give entry=",
    MistakeKind.AMBIGUOUS_ENTRY: "a run could start from any of {types}; give entry=, and have nodes send the rest",
    MistakeKind.UNCONSUMED_ENTRY: "no node takes the entry type '{wrong}'",
    MistakeKind.UNREACHABLE_NODE: "nothing reaches it from the entry type '{entry}': no node before it sends {takes}",
    MistakeKind.UNFED_JOIN: "the join can never fire: nothing that runs before it sends '{type}' for '{slot}'",
    MistakeKind.EMPTY_SLOT: "'{slot}' stays empty for ever: nothing that runs before it sends '{type}'",
    MistakeKind.GATHER_WITHOUT_FAN_OUT: "'{slot}' gathers, but '{type}' can come to it from outside of any fan-out; "
    "have a node before it yield, or return a list",
    MistakeKind.JOIN_ACROSS_SCOPES: "its messages can never meet: {apart}; gather what a fan-out sends, then join",
    MistakeKind.UNBOUNDED_CYCLE: "the cycle {path} has no bound; give max_visits= to one of its nodes",
}

MESSAGES = "a msgspec.Struct, a pydantic model or a dataclass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place in the user's code; no node's name where the mistake is the whole pipe's."""

    node: str = ""
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake.

    Attributes:
        facts: What the kind's text is filled with.
        wrong: The name that is wrong, empty where none is.
        known: The names that would have been right.
    """

    kind: MistakeKind
    where: Where
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    wrong: str = ""
    known: tuple[str, ...] = ()


def render(mistake: Mistake) -> str:
    """Word one mistake, on one line: place, node, what is wrong, what would be right."""
    node = f"node '{mistake.where.node}': " if mistake.where.node else ""
    text = _TEXTS[mistake.kind].format_map({**mistake.facts, "wrong": mistake.wrong})
    return f"{mistake.where}: {node}{' '.join(text.split())}{suggest(mistake.wrong, mistake.known)}"


def render_all(mistakes: Iterable[Mistake]) -> tuple[str, ...]:
    """Word every mistake once, in the order of the code."""
    ordered = sorted(mistakes, key=lambda mistake: (mistake.where.file, mistake.where.line))
    return tuple(dict.fromkeys(map(render, ordered)))


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Give the end of a sentence that names the nearest right name, or a few right ones; empty where none is known."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    if not names:
        return ""
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return f"; known: {quoted(names[:_SHOWN_NAMES])}{more}"


def quoted(names: Iterable[str]) -> str:
    """List names for a sentence."""
    return ", ".join(f"'{name}'" for name in names)
