"""The start of a run, made of an entry message: its trace_id, its partition, its tickets, where the message goes."""

from collections.abc import Callable
from math import ceil
from typing import Any

from msgspec import Struct, structs

from headrace.errors import InvalidMessageError, SettingsError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock, SystemClock, random_bytes
from headrace.kernel.entry_keys import entry_key
from headrace.kernel.outputs import Dispatcher, lane_of
from headrace.ledger.values import Output, Submission
from headrace.runtime.idempotency import Idempotency
from headrace.wire.envelope import Envelope, Framing
from headrace.wire.trace import ENTROPY_BYTES, choose_partition, elsewhere, trace_id

_MS = 1000
_RANDOM_DIGITS = 14  # of a trace id, from its end: what W3C Trace Context has as random, and OpenTelemetry samples by


class Options(Struct, frozen=True):
    """How one run is started.

    Attributes:
        timeout_s: Seconds until its deadline; 0 for none.
        partition_key: Runs of one key share a partition; empty for any. A keyed pipe's runs go by its own key.
        traceparent: The caller's W3C trace context.
        most_open: The most runs of the pipe that may be open, over all who start some; 0 for any number. Of several
            partitions each has its even share, since it is counted by itself.
        idempotency: Names the run, so that the same again starts no other; None for a run of its own.
        keeps_events: Keep what the run's nodes tell, so that it can be followed, and its entry message, so that it can
            be replayed.
    """

    timeout_s: float = 0.0
    partition_key: str = ""
    traceparent: str = ""
    most_open: int = 0
    idempotency: Idempotency | None = None
    keeps_events: bool = False


PLAIN = Options()
"""No deadline, any partition."""


class _Ticketed(Struct, frozen=True):
    """A node in whose lanes runs take tickets at ingress."""

    node: str
    key_of: Callable[[Any], str]
    stream: str


class Submissions:
    """Makes the submissions of one pipe.

    Args:
        framing: Seals entry messages.
        partitions: As the bus's.
        clock: Deadlines of envelopes go by it; the run's own goes by the bus's.
        events_sample: The share of runs, 0 to 1, that keep their events without being asked to; whether one does is
            decided by its trace_id alone, as OpenTelemetry's consistent sampling does.

    Raises:
        SettingsError: There are several partitions, and a key's runs would be spread over them.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        framing: Framing,
        *,
        partitions: int = 1,
        clock: Clock | None = None,
        events_sample: float = 0.0,
    ) -> None:
        self._plan = plan
        self._framing = framing
        self._partitions = partitions
        self._clock = clock or SystemClock()
        self._sampled_from = int((1.0 - events_sample) * 16**_RANDOM_DIGITS)
        self._samples = events_sample > 0
        if partitions > 1:
            _require_one_partition_a_key(plan)
        # an entry node is always reached over the bus, so no group is this dispatcher's own
        self._dispatcher = Dispatcher(plan, "", framing.seal)
        self._ticketed = tuple(
            _Ticketed(node.name, node.keyed.ingress_key_of, plan.stream(node.group))
            for node in plan.nodes.values()
            if node.keyed is not None and node.keyed.ingress_key_of is not None
        )

    def make(self, message: object, options: Options, inbox: str) -> Submission:
        """Make a submission.

        Args:
            inbox: Who waits for the terminal event, empty for nobody.

        Raises:
            InvalidMessageError: The message cannot be encoded, or its key cannot be computed.
            EnvelopeTooLargeError: It is over the limit.
        """
        named = options.idempotency
        entropy = named.entropy(self._plan.pipe) if named else random_bytes(ENTROPY_BYTES)
        trace = trace_id(self._partition(message, options, entropy), entropy)
        tickets = self._tickets(message)
        keeps_events = options.keeps_events or (self._samples and self._is_sampled(trace))
        headers = Envelope(
            id=trace,
            trace_id=trace,
            pipe=self._plan.pipe,
            node="",
            slot="",
            type=self._plan.entry_type,
            body=b"",
            plan=self._plan.version,
            deadline_ms=int((self._clock.now() + options.timeout_s) * _MS) if options.timeout_s else 0,
            tickets=tuple(lane for lane, _ in tickets),
            traceparent=options.traceparent,
            keeps_events=keeps_events,
        )
        outputs, entry = self._outputs(headers, message)
        timeout_ms = ceil(options.timeout_s * _MS) if options.timeout_s else 0
        return Submission(
            trace,
            self._plan.pipe,
            self._plan.version,
            outputs,
            tickets,
            inbox,
            timeout_ms,
            max(1, options.most_open // self._partitions) if options.most_open else 0,
            named.fingerprint if named else "",
            keeps_events,
            entry,
        )

    def again(self, entry: bytes) -> Submission:
        """Make the submission of a run that was started before, under its own trace_id; it has no deadline.

        Args:
            entry: The frame of its entry message, as its record keeps it.

        Raises:
            EnvelopeError: It cannot be opened.
            InvalidMessageError: It is no entry message of this plan.
        """
        headers = structs.replace(self._framing.open(entry), plan=self._plan.version, deadline_ms=0, keeps_events=False)
        if (headers.pipe, headers.type) != (self._plan.pipe, self._plan.entry_type):
            why = f"pipe '{self._plan.pipe}' starts with {self._plan.entry_type}"
            raise InvalidMessageError(headers.type, why)
        message = self._plan.codecs[headers.type].decode(headers.body)
        tickets = self._tickets(message)
        headers = structs.replace(headers, tickets=tuple(lane for lane, _ in tickets))
        outputs, _ = self._outputs(headers, message)
        return Submission(headers.trace_id, headers.pipe, headers.plan, outputs, tickets)

    def namesakes(self, trace: str) -> list[str]:
        """Give the trace ids that a run's idempotency key has with messages that belong to other partitions."""
        return elsewhere(trace, self._partitions) if self._ticketed else []

    def _outputs(self, headers: Envelope, message: object) -> tuple[tuple[Output, ...], bytes]:
        """Give where the entry message goes, and its own frame where it is kept."""
        outputs = tuple(self._dispatcher.start(headers, message))
        if not headers.keeps_events:
            return outputs, b""
        body = self._plan.codecs[headers.type].encode(message)
        return outputs, self._framing.seal(structs.replace(headers, body=body))

    def _is_sampled(self, trace: str) -> bool:
        return int(trace[-_RANDOM_DIGITS:], 16) >= self._sampled_from

    def _tickets(self, message: object) -> tuple[tuple[str, str], ...]:
        return tuple(
            (lane_of(self._plan.pipe, ticketed.node, self._key(ticketed, message)), ticketed.stream)
            for ticketed in self._ticketed
        )

    def _key(self, ticketed: _Ticketed, message: object) -> str:
        return entry_key(self._plan, ticketed.node, ticketed.key_of, message)

    def _partition(self, message: object, options: Options, entropy: bytes) -> int:
        """Choose where a run lives: a keyed pipe's by its ingress key, since a lane lies within one partition."""
        key = self._key(self._ticketed[0], message) if self._ticketed else options.partition_key
        return choose_partition(key.encode() if key else entropy, self._partitions)


def _require_one_partition_a_key(plan: ExecutionPlan) -> None:
    keyed = [node for node in plan.nodes.values() if node.keyed is not None]
    if any(node.keyed is not None and node.keyed.ingress_key_of is None for node in keyed) or len(keyed) > 1:
        names = ", ".join(f"'{node.name}'" for node in keyed)
        raise SettingsError(
            "partitions",
            f"is over 1, and pipe '{plan.pipe}' orders work by keys ({names}) whose runs would be spread over them; "
            'only a pipe with one keyed node, of order="ingress", can be partitioned, by that node\'s key',
        )
