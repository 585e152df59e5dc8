"""Admits an item to its node: frames to messages, checked against the plan, and a key's state to its value."""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.errors import (
    EnvelopeError,
    EnvelopeTooLargeError,
    Failure,
    FailureKind,
    FailureSource,
    InvalidMessageError,
)
from headrace.graph.plan import ExecutionPlan, Keyed, PlanNode, SlotKind
from headrace.kernel.gathered import by_emission, with_visits
from headrace.kernel.work import Work
from headrace.ledger.values import Item
from headrace.wire.codec import MessageCodec
from headrace.wire.envelope import Envelope, Framing


class RefusedError(Exception):
    """An item whose run is known cannot be given to a node."""

    def __init__(self, failure: Failure, headers: Envelope) -> None:
        self.failure = failure
        self.headers = headers
        super().__init__(str(failure))


class Admission:
    """Admits items to the nodes of one group.

    Args:
        framing: Opens frames.
    """

    def __init__(self, plan: ExecutionPlan, group: str, framing: Framing) -> None:
        self._plan = plan
        self._group = group
        self._framing = framing
        here = {name: plan.nodes[name] for name in plan.groups[group]}
        self._nodes: Mapping[str, PlanNode] = here
        self._single: Mapping[str, PlanNode] = {name: node for name, node in here.items() if not node.is_join}
        self._codecs: Mapping[tuple[str, str, str], MessageCodec] = {
            (route.node, route.slot, type_name): codec
            for type_name, codec in plan.codecs.items()
            for route in plan.consumers.get(type_name, ())
        }

    def admit(self, item: Item, gathered: Sequence[Envelope] = ()) -> Work:
        """Open an item's frames and decode its messages.

        Args:
            gathered: What the item's stash holds, in any order.

        Raises:
            EnvelopeError: A frame is none of ours.
            RefusedError: It is for a pipe, node or type that is not here, or a message does not fit its type.
        """
        envelopes = [self._framing.open(frame) for frame in item.frames]
        if not envelopes:
            raise EnvelopeError("the item has no frame")
        headers = envelopes[0]
        if headers.pipe != self._plan.pipe or headers.node not in self._nodes:
            raise self._refused(headers)
        node = self._single.get(headers.node)
        if node is not None and len(envelopes) == 1 and not item.stash:
            messages = {headers.slot: self._message(node, headers, headers)}
            return Work(node=node, headers=headers, messages=messages)
        return self._admit_several(item, self._nodes[headers.node], envelopes, gathered)

    def headers_of(self, item: Item) -> Envelope:
        """Open the first frame that can be opened; raises `EnvelopeError` where none is ours."""
        refused = EnvelopeError("the item has no frame")
        for frame in item.frames:
            try:
                return self._framing.open(frame)
            except EnvelopeError as error:
                refused = error
        raise refused

    def keyed_of(self, item: Item) -> Keyed | None:
        """Tell how an item's node is keyed; None where that cannot be told."""
        try:
            node = self._plan.nodes.get(self.headers_of(item).node)
        except EnvelopeError:
            return None
        return node.keyed if node else None

    def load_state(self, keyed: Keyed | None, stored: bytes | None) -> object:
        """Decode a key's state, or make its first.

        Raises:
            EnvelopeError: The stored bytes are none of ours.
            InvalidMessageError: They do not fit the state's type, or its first value cannot be made.
        """
        if keyed is None or keyed.state is None:
            return None
        if stored is not None:
            return keyed.state.decode(self._framing.unwrap(stored))
        try:
            return keyed.state.message_type()
        except Exception as error:
            why = f"its first value cannot be made ({type(error).__name__})"
            raise InvalidMessageError(keyed.state.name, why) from error

    def save_state(self, keyed: Keyed | None, state: object) -> bytes | None:
        """Encode a key's state; None where there is none.

        Raises:
            EnvelopeTooLargeError: It is larger than its node allows.
            InvalidMessageError: It cannot be encoded.
        """
        if keyed is None or keyed.state is None:
            return None
        encoded = keyed.state.encode(state)
        if len(encoded) > keyed.state_max_bytes:
            raise EnvelopeTooLargeError(len(encoded), keyed.state_max_bytes)
        return self._framing.wrap(encoded)

    def _admit_several(
        self, item: Item, node: PlanNode, envelopes: list[Envelope], gathered: Sequence[Envelope]
    ) -> Work:
        """Admit a joined, gathered or resumed item; the frames of signals have no node."""
        headers = envelopes[0]
        if any(each.trace_id != headers.trace_id for each in (*envelopes, *gathered)):
            raise self._refused(headers)
        asking = [each for each in envelopes if each.node]
        is_opening = len(asking) == 1 and not headers.slot
        if is_opening is not node.gathers or (item.stash and not node.gathers):
            raise self._refused(headers)
        if node.gathers:
            headers = with_visits(headers, gathered)
            messages = self._gathered(node, headers, gathered)
        else:
            messages = self._complete(node, headers, asking)
        for each in envelopes:
            if not each.node:
                messages[each.slot] = self._decoded(each, headers, node.signals.get(each.slot))
        signals = tuple(frame for frame, each in zip(item.frames, envelopes, strict=True) if not each.node)
        return Work(node=node, headers=headers, messages=messages, signals=signals, stash=item.stash)

    def _complete(self, node: PlanNode, headers: Envelope, envelopes: Sequence[Envelope]) -> dict[str, Any]:
        """Give a message a slot; None for a partial one that nothing came for."""
        messages = {each.slot: self._message(node, headers, each) for each in envelopes}
        if len(messages) != len(node.slots):
            for slot in node.slots:
                if slot.name not in messages and slot.kind is not SlotKind.PARTIAL:
                    raise self._refused(headers)
                messages.setdefault(slot.name, None)
        return messages

    def _gathered(self, node: PlanNode, headers: Envelope, gathered: Sequence[Envelope]) -> dict[str, Any]:
        messages: dict[str, list[Any]] = {slot.name: [] for slot in node.slots}
        for each in sorted(gathered, key=by_emission):
            message = self._message(node, headers, each)
            messages[each.slot].append(message)
        return messages

    def _message(self, node: PlanNode, headers: Envelope, envelope: Envelope) -> Any:  # noqa: ANN401 - a user's message
        return self._decoded(envelope, headers, self._codecs.get((node.name, envelope.slot, envelope.type)))

    def _decoded(self, envelope: Envelope, headers: Envelope, codec: MessageCodec | None) -> Any:  # noqa: ANN401 - as above
        if codec is None:
            raise self._refused(headers)
        try:
            return codec.decode(envelope.body)
        except InvalidMessageError as error:
            raise self._refused(headers, FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE) from error

    def _refused(
        self,
        headers: Envelope,
        kind: FailureKind = FailureKind.NO_ROUTE,
        source: FailureSource = FailureSource.PLATFORM,
    ) -> RefusedError:
        return RefusedError(Failure(kind, source, headers.node, self._group), headers)
