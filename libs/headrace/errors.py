"""Every error of Headrace, in one place; imports of the library only the words of `failures`.

    HeadraceError
    ├── CompileError             compile_failed       the pipe has mistakes; all of them, with file and line
    ├── AppError                 app_not_loaded       the reference `module:attribute` leads to no pipe
    ├── SettingsError            settings_invalid     a setting is missing, malformed or insecure
    ├── InvalidMessageError      invalid_message      a payload does not fit its message type
    ├── EnvelopeError            envelope_refused     bytes from a bus that are no envelope of ours
    │   ├── EnvelopeTooLargeError  envelope_too_large
    │   └── SignatureError         signature_refused
    ├── BusError                 bus_failed           the bus answered with an error
    │   ├── BusFullError           bus_full           the bus has no memory left for new runs; try again later
    │   └── BusUnavailableError    bus_unavailable    the bus cannot be reached; try again
    ├── ResultUnreadableError    result_unreadable    a run's result does not fit the plan of whoever reads it
    ├── UnknownRunError          unknown_run          no run has this trace_id (any more)
    ├── EventsNotKeptError       events_not_kept      the run does not keep its events, so it cannot be followed
    ├── UnknownSignalError       unknown_signal       no node of the pipe waits for a signal of this name
    ├── NotRedrivableError       not_redrivable       a dead letter does not hold what a run could start from
    ├── HandoffError             handoff_failed       a group's processes on this host do not do its work
    ├── KeyReusedError           idempotency_key_reused  an idempotency key came with another message before
    ├── TooManyRunsError         too_many_runs        as many runs of the pipe are open as may be; try again later
    ├── RunSuspendedError        run_suspended        all that is left of a run waits for signals that nobody can send
    ├── WaitTimeoutError         wait_timeout         the wait ran out; the run goes on
    ├── BackendMissingError      backend_missing      what an executor is to run on is not installed
    ├── ExecutorClosedError      executor_closed      the executor takes no tasks: not yet open, or closed
    ├── ChannelClosedError       channel_closed       nothing can be sent, or nothing more comes
    ├── ChannelLaggedError       channel_lagged       a receiver of a broadcast has missed messages; it goes on
    ├── TaskError                task_failed          a task gave no result for a reason that is not its own exception
    │   ├── TaskPendingError       task_pending         it has not ended; await it
    │   ├── TaskCancelledError     task_cancelled
    │   ├── TaskCrashedError       task_crashed         the process that ran it died
    │   └── TaskUnpicklableError   task_unpicklable     it, its value or its exception cannot be sent between processes
    └── RunError                 run_failed           the run ended other than completed
        ├── RunFailedError         run_failed
        ├── RunCancelledError      run_cancelled
        └── RunExpiredError        run_expired

A class exists where a caller would act differently on it. `code` is stable; messages carry no payload and no secret.
"""

from typing import Any, ClassVar

from headrace.failures import Failure as Failure  # noqa: PLC0414 - who catches an error reads these words
from headrace.failures import FailureKind as FailureKind  # noqa: PLC0414 - who catches an error reads these words
from headrace.failures import FailureSource as FailureSource  # noqa: PLC0414 - who catches an error reads these words
from headrace.failures import Handoff as Handoff  # noqa: PLC0414 - who catches an error reads these words


class HeadraceError(Exception):
    """The root of the tree."""

    code: ClassVar[str] = "headrace_error"

    def __reduce__(self) -> tuple[Any, ...]:
        # an exception is pickled as a call with its text, which is not what ours are made of
        return type(self).__new__, (type(self), *self.args), self.__dict__


class CompileError(HeadraceError):
    """A pipe has mistakes.

    Args:
        pipe: The pipe's name.
        mistakes: One rendered line a mistake, each with node, file and line.
    """

    code = "compile_failed"

    def __init__(self, pipe: str, mistakes: tuple[str, ...]) -> None:
        self.pipe = pipe
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n".join((f"pipe '{pipe}' has {count}:", *(f"  {line}" for line in mistakes))))


class AppError(HeadraceError):
    """A reference to an app cannot be followed."""

    code = "app_not_loaded"

    def __init__(self, reference: str, why: str) -> None:
        self.reference = reference
        super().__init__(f"cannot load '{reference}': {why}; give it as module:attribute, for example app:pipe")


class SettingsError(HeadraceError):
    """A setting is missing, malformed or insecure."""

    code = "settings_invalid"

    def __init__(self, setting: str, why: str) -> None:
        self.setting = setting
        super().__init__(f"setting '{setting}' {why}")


class InvalidMessageError(HeadraceError):
    """A payload does not fit its message type.

    Args:
        type_name: The message type's name.
        why: The validator's words; the place in the payload, never its content.
    """

    code = "invalid_message"

    def __init__(self, type_name: str, why: str) -> None:
        self.type_name = type_name
        self.why = why
        super().__init__(f"invalid message for type '{type_name}': {why}")


class EnvelopeError(HeadraceError):
    """Bytes from a bus are no envelope of ours."""

    code = "envelope_refused"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"envelope refused: {why}")


class EnvelopeTooLargeError(EnvelopeError):
    """An envelope is larger than the limit."""

    code = "envelope_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"{size_bytes} bytes, the limit is {limit_bytes} bytes")


class SignatureError(EnvelopeError):
    """An envelope's signature is missing, of an unknown key, or wrong."""

    code = "signature_refused"


class BusError(HeadraceError):
    """The bus answered with an error."""

    code = "bus_failed"


class BusFullError(BusError):
    """The bus has no memory left for new runs; those under way go on, and make room."""

    code = "bus_full"

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(f"the bus at {address} is at its memory limit; it takes new runs when others have ended")


class BusUnavailableError(BusError):
    """The bus cannot be reached; what was asked may or may not have happened, so ask again."""

    code = "bus_unavailable"

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        super().__init__(f"the bus at {address} cannot be reached: {why}")


class ResultUnreadableError(HeadraceError):
    """A run completed, and its result is of a type that the reader's plan does not have, or has in another form."""

    code = "result_unreadable"

    def __init__(self, trace_id: str, pipe: str, type_name: str) -> None:
        self.trace_id = trace_id
        self.pipe = pipe
        self.type_name = type_name
        super().__init__(
            f"the result of run '{trace_id}' is of type '{type_name}', which this plan of '{pipe}' does not have, "
            "or has in another form; read it with the version of the pipe that the run was made by"
        )


class UnknownRunError(HeadraceError):
    """No run has this trace_id, or its result has outlived its time."""

    code = "unknown_run"

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__(f"no run has trace_id '{trace_id}', or its result is kept no longer")


class EventsNotKeptError(HeadraceError):
    """A run cannot be followed."""

    code = "events_not_kept"

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__("the run keeps no events: it was started without asking for them")


class UnknownSignalError(HeadraceError):
    """No node of a pipe takes a signal of this name."""

    code = "unknown_signal"

    def __init__(self, pipe: str, signal: str, known: tuple[str, ...]) -> None:
        self.pipe = pipe
        self.signal = signal
        self.known = known
        there = f"it has: {', '.join(known)}" if known else "it has none"
        super().__init__(f"pipe '{pipe}' has no signal '{signal}'; {there}")


class NotRedrivableError(HeadraceError):
    """A dead letter does not hold what a run could start from."""

    code = "not_redrivable"

    def __init__(self, letter_id: str, why: str) -> None:
        self.letter_id = letter_id
        self.why = why
        super().__init__(f"dead letter '{letter_id}' cannot be redriven: {why}")


class HandoffError(HeadraceError):
    """The processes of a group on this host do not do its work.

    Args:
        how: What became of them: states, signals and exit codes; nothing that they wrote.
    """

    code = "handoff_failed"

    def __init__(self, group: str, handoff: Handoff, how: str) -> None:
        self.group = group
        self.handoff = handoff
        self.how = how
        super().__init__(f"{handoff.for_group(group)}: {how}")


class KeyReusedError(HeadraceError):
    """An idempotency key names a run that was started with another message."""

    code = "idempotency_key_reused"

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__(f"the idempotency key was used before, with another message, for run '{trace_id}'")


class TooManyRunsError(HeadraceError):
    """As many runs of a pipe are open as may be; nothing was started."""

    code = "too_many_runs"

    def __init__(self, pipe: str, limit: int) -> None:
        self.pipe = pipe
        self.limit = limit
        super().__init__(f"{limit} runs of pipe '{pipe}' are open, which is the limit; nothing was started")


class RunSuspendedError(HeadraceError):
    """All that is left of a run waits for signals, and there is nobody who could send one."""

    code = "run_suspended"

    def __init__(self, trace_id: str, signals: tuple[str, ...]) -> None:
        self.trace_id = trace_id
        self.signals = signals
        super().__init__(
            f"run '{trace_id}' waits for: {', '.join(signals)}; give these beforehand as signals={{...}}, "
            "or iterate over its events, which can be sent a signal"
        )


class WaitTimeoutError(HeadraceError):
    """A wait for a run's terminal event ran out; the run itself goes on."""

    code = "wait_timeout"

    def __init__(self, trace_id: str, waited_s: float) -> None:
        self.trace_id = trace_id
        self.waited_s = waited_s
        super().__init__(f"no answer within {waited_s:g} s; the run goes on as trace_id '{trace_id}'")


class BackendMissingError(HeadraceError):
    """What an executor is to run on is not installed."""

    code = "backend_missing"

    def __init__(self, backend: str, module: str) -> None:
        self.backend = backend
        self.module = module
        super().__init__(f"executor '{backend}' needs the module '{module}': pip install 'headrace[{backend}]'")


class ExecutorClosedError(HeadraceError):
    """An executor takes no tasks outside of its context."""

    code = "executor_closed"

    def __init__(self) -> None:
        super().__init__("the executor is not open; submit within its context: async with Executor() as executor")


class ChannelClosedError(HeadraceError):
    """A channel's end is closed, or the other side is: nothing can be sent, or nothing more comes."""

    code = "channel_closed"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the channel is closed: {why}")


class ChannelLaggedError(HeadraceError):
    """A receiver of a broadcast has missed messages; its next one is the oldest that is kept."""

    code = "channel_lagged"

    def __init__(self, missed: int) -> None:
        self.missed = missed
        super().__init__(f"the receiver was too slow and has missed {missed} messages; it goes on with the oldest kept")


class TaskError(HeadraceError):
    """A task gave no result, for a reason that is not an exception of its own."""

    code = "task_failed"


class TaskPendingError(TaskError):
    """A task has not ended yet."""

    code = "task_pending"

    def __init__(self) -> None:
        super().__init__("the task has not ended; await its handle, or wait() for it")


class TaskCancelledError(TaskError):
    """A task was cancelled."""

    code = "task_cancelled"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the task was cancelled: {reason}")


class TaskCrashedError(TaskError):
    """The process that ran a task died; other tasks go on."""

    code = "task_crashed"

    def __init__(self, how: str) -> None:
        self.how = how
        super().__init__(f"the process that ran the task died: {how}")


class TaskUnpicklableError(TaskError):
    """What must go from one process to another has no form to go in."""

    code = "task_unpicklable"

    def __init__(self, what: str, type_name: str) -> None:
        self.what = what
        self.type_name = type_name
        super().__init__(f"{what} cannot be sent between processes: '{type_name}'")


class RunError(HeadraceError):
    """A run ended other than completed."""

    code = "run_failed"

    def __init__(self, trace_id: str, failure: Failure) -> None:
        self.trace_id = trace_id
        self.failure = failure
        super().__init__(f"run '{trace_id}': {failure}")


class RunFailedError(RunError):
    """A run failed."""


class RunCancelledError(RunError):
    """A run was cancelled."""

    code = "run_cancelled"


class RunExpiredError(RunError):
    """A run's deadline passed."""

    code = "run_expired"
