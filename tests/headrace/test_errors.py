"""The error tree: stable codes, texts that say what to do, and failures without payload."""

import inspect
import pickle

import pytest

from headrace import errors
from headrace.errors import (
    AppError,
    BackendMissingError,
    BusError,
    BusUnavailableError,
    ChannelClosedError,
    ChannelLaggedError,
    CompileError,
    EnvelopeError,
    EnvelopeTooLargeError,
    EventsNotKeptError,
    ExecutorClosedError,
    Failure,
    FailureKind,
    FailureSource,
    HeadraceError,
    InvalidMessageError,
    NotRedrivableError,
    ResultUnreadableError,
    RunCancelledError,
    RunError,
    RunExpiredError,
    RunFailedError,
    SettingsError,
    SignatureError,
    TaskCancelledError,
    TaskCrashedError,
    TaskError,
    TaskPendingError,
    TaskUnpicklableError,
    UnknownRunError,
    UnknownSignalError,
    WaitTimeoutError,
)

FAILURE = Failure(FailureKind.STEP, FailureSource.USER_CODE, "decide", "main", "ValueError", "SECRET")
EXAMPLES: list[tuple[HeadraceError, type[HeadraceError], str, str]] = [
    (
        CompileError("pipe", ("a.py:1: one", "a.py:2: two")),
        HeadraceError,
        "compile_failed",
        "pipe 'pipe' has 2 mistakes:\n  a.py:1: one\n  a.py:2: two",
    ),
    (CompileError("pipe", ("one",)), HeadraceError, "compile_failed", "pipe 'pipe' has 1 mistake:\n  one"),
    (
        AppError("app", "it is not there"),
        HeadraceError,
        "app_not_loaded",
        "cannot load 'app': it is not there; give it as module:attribute, for example app:pipe",
    ),
    (SettingsError("url", "is missing"), HeadraceError, "settings_invalid", "setting 'url' is missing"),
    (
        InvalidMessageError("Ask", "Field required"),
        HeadraceError,
        "invalid_message",
        "invalid message for type 'Ask': Field required",
    ),
    (
        BackendMissingError("process", "cloudpickle"),
        HeadraceError,
        "backend_missing",
        "executor 'process' needs the module 'cloudpickle': pip install 'headrace[process]'",
    ),
    (
        ExecutorClosedError(),
        HeadraceError,
        "executor_closed",
        "the executor is not open; submit within its context: async with Executor() as executor",
    ),
    (
        ChannelClosedError("no receiver is left"),
        HeadraceError,
        "channel_closed",
        "the channel is closed: no receiver is left",
    ),
    (
        ChannelLaggedError(3),
        HeadraceError,
        "channel_lagged",
        "the receiver was too slow and has missed 3 messages; it goes on with the oldest kept",
    ),
    (
        TaskPendingError(),
        TaskError,
        "task_pending",
        "the task has not ended; await its handle, or wait() for it",
    ),
    (TaskCancelledError("no need"), TaskError, "task_cancelled", "the task was cancelled: no need"),
    (TaskCrashedError("signal 9"), TaskError, "task_crashed", "the process that ran the task died: signal 9"),
    (
        TaskUnpicklableError("its value", "socket"),
        TaskError,
        "task_unpicklable",
        "its value cannot be sent between processes: 'socket'",
    ),
    (EnvelopeError("it is odd"), HeadraceError, "envelope_refused", "envelope refused: it is odd"),
    (
        EnvelopeTooLargeError(11, 10),
        EnvelopeError,
        "envelope_too_large",
        "envelope refused: 11 bytes, the limit is 10 bytes",
    ),
    (SignatureError("it is not signed"), EnvelopeError, "signature_refused", "envelope refused: it is not signed"),
    (BusError("no"), HeadraceError, "bus_failed", "no"),
    (
        BusUnavailableError("host:1", "refused"),
        BusError,
        "bus_unavailable",
        "the bus at host:1 cannot be reached: refused",
    ),
    (
        ResultUnreadableError("7", "orders", "Receipt"),
        HeadraceError,
        "result_unreadable",
        "the result of run '7' is of type 'Receipt', which this plan of 'orders' does not have, "
        "or has in another form; read it with the version of the pipe that the run was made by",
    ),
    (
        UnknownRunError("7"),
        HeadraceError,
        "unknown_run",
        "no run has trace_id '7', or its result is kept no longer",
    ),
    (
        EventsNotKeptError("7"),
        HeadraceError,
        "events_not_kept",
        "the run keeps no events: it was started without asking for them",
    ),
    (
        UnknownSignalError("orders", "aproval", ("approval", "payment")),
        HeadraceError,
        "unknown_signal",
        "pipe 'orders' has no signal 'aproval'; it has: approval, payment",
    ),
    (
        UnknownSignalError("orders", "aproval", ()),
        HeadraceError,
        "unknown_signal",
        "pipe 'orders' has no signal 'aproval'; it has none",
    ),
    (
        NotRedrivableError("1-0", "its run is unknown"),
        HeadraceError,
        "not_redrivable",
        "dead letter '1-0' cannot be redriven: its run is unknown",
    ),
    (
        WaitTimeoutError("7", 1.5),
        HeadraceError,
        "wait_timeout",
        "no answer within 1.5 s; the run goes on as trace_id '7'",
    ),
    *(
        (kind("7", FAILURE), RunError, code, "run '7': step in node 'decide', source user_code (ValueError)")
        for kind, code in (
            (RunFailedError, "run_failed"),
            (RunCancelledError, "run_cancelled"),
            (RunExpiredError, "run_expired"),
        )
    ),
]


@pytest.mark.parametrize("error", [example[0] for example in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_goes_from_one_process_to_another_as_it_is(error: HeadraceError) -> None:
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(("error", "parent", "code", "text"), EXAMPLES, ids=lambda each: type(each).__name__)
def test_an_error_has_a_stable_code_a_place_in_the_tree_and_a_text_that_says_what_is_wrong(
    error: HeadraceError, parent: type[HeadraceError], code: str, text: str
) -> None:
    assert type(error).__mro__[1] is parent
    assert (error.code, str(error)) == (code, text)


def test_every_error_is_in_the_tree_drawn_at_the_top_with_its_code() -> None:
    drawn = {tuple(line.strip("│├└─ ").split()[:2]) for line in (errors.__doc__ or "").splitlines() if "──" in line}
    classes = {
        (name, found.code)
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, HeadraceError) and found is not HeadraceError
    }
    assert drawn == classes


def test_codes_tell_errors_apart_but_for_a_run_that_failed() -> None:
    codes = {type(error): error.code for error, *_ in EXAMPLES}
    assert len(codes) == len(set(codes.values()))


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (FAILURE, "step in node 'decide', source user_code (ValueError)"),
        (Failure(FailureKind.JOIN_STARVED, FailureSource.USER_CODE), "join_starved, source user_code"),
        (
            Failure(FailureKind.WORKER_CRASH, FailureSource.PLATFORM, "", "main"),
            "remote handoff failed for group 'main' (worker_crash), source platform",
        ),
    ],
)
def test_a_failure_reads_as_a_sentence_without_its_detail(failure: Failure, text: str) -> None:
    assert str(failure) == text
