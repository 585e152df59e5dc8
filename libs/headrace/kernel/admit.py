"""Admits an item to its node: frames to messages, checked against the plan, and a key's state to its value."""

from typing import Any

from headrace.errors import EnvelopeError, Failure, FailureKind, FailureSource, InvalidMessageError
from headrace.graph.plan import ExecutionPlan, Keyed, PlanNode
from headrace.kernel.outputs import Work
from headrace.ledger.values import Item
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

    def admit(self, item: Item) -> Work:
        """Open an item's frames and decode its messages.

        Raises:
            EnvelopeError: A frame is none of ours.
            RefusedError: It is for a pipe, node or type that is not here, or a message does not fit its type.
        """
        envelopes = [self._framing.open(frame) for frame in item.frames]
        if not envelopes:
            raise EnvelopeError("the item has no frame")
        headers = envelopes[0]
        node = self._plan.nodes.get(headers.node)
        if headers.pipe != self._plan.pipe or node is None or node.group != self._group:
            raise self._refused(headers, FailureKind.NO_ROUTE, FailureSource.PLATFORM)
        return Work(node=node, headers=headers, messages=self._messages(node, envelopes))

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
            InvalidMessageError: They do not fit the state's type.
        """
        if keyed is None or keyed.state is None:
            return None
        return keyed.state.message_type() if stored is None else keyed.state.decode(self._framing.unwrap(stored))

    def save_state(self, keyed: Keyed | None, state: object) -> bytes | None:
        """Encode a key's state; None where there is none."""
        return None if keyed is None or keyed.state is None else self._framing.wrap(keyed.state.encode(state))

    def _messages(self, node: PlanNode, envelopes: list[Envelope]) -> dict[str, Any]:
        messages: dict[str, Any] = {}
        for envelope in envelopes:
            codec = self._plan.codecs.get(envelope.type)
            if codec is None or not self._takes(node, envelope):
                raise self._refused(envelope, FailureKind.NO_ROUTE, FailureSource.PLATFORM)
            try:
                messages[envelope.slot] = codec.decode(envelope.body)
            except InvalidMessageError as error:
                raise self._refused(envelope, FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE) from error
        if len(messages) != len(node.slots):
            raise self._refused(envelopes[0], FailureKind.NO_ROUTE, FailureSource.PLATFORM)
        return messages

    def _takes(self, node: PlanNode, envelope: Envelope) -> bool:
        routes = self._plan.consumers.get(envelope.type, ())
        return any(route.node == node.name and route.slot == envelope.slot for route in routes)

    def _refused(self, headers: Envelope, kind: FailureKind, source: FailureSource) -> RefusedError:
        return RefusedError(Failure(kind, source, headers.node, self._group), headers)
