"""Calls and their answers as bytes; the only module that pickles. Only what our own processes made is unpickled."""

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import cloudpickle  # type: ignore[import-untyped]  # it has none

from headrace.errors import TaskUnpicklableError

_dumps = cast("Callable[[object], bytes]", cloudpickle.dumps)  # pyright: ignore[reportUnknownMemberType]  # it has no types


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call came to: a value, or an error with the traceback of where it was raised."""

    value: Any = None
    error: BaseException | None = None
    trace: str = ""

    def result(self) -> Any:  # noqa: ANN401 - whatever a user's function returns
        """Give the value, or raise the error; its notes show where it was raised."""
        if self.error is None:
            return self.value
        self.error.add_note(f"in another process:\n{self.trace}")
        raise self.error


def pickled(call: object) -> bytes:
    """Pickle a call, or what one needs.

    Raises:
        TaskUnpicklableError: It cannot be sent.
    """
    try:
        return _dumps(call)
    except Exception as error:
        raise TaskUnpicklableError("the task", type(error).__name__) from error


def unpickled(blob: bytes) -> Answer:
    """Read an answer.

    Raises:
        TaskUnpicklableError: It cannot be read here.
    """
    try:
        answer: Answer = pickle.loads(blob)  # noqa: S301 - our own process made it
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a user's __setstate__ raises
        raise TaskUnpicklableError("the task's value", type(error).__name__) from error
    return answer


def answer(frame: bytes, make: Callable[[Any], Any]) -> bytes:
    """Make a pickled call; give the pickled answer, whatever happens.

    Args:
        make: Makes the call, once it is read.
    """
    try:
        value = make(pickle.loads(frame))  # noqa: S301 - the parent sent it
    except BaseException as error:  # noqa: BLE001 - SystemExit too ends its task, not the process
        return _failure(error)
    try:
        return _dumps(Answer(value=value))
    except Exception:  # noqa: BLE001 - whatever a user's __reduce__ raises
        return _failure(TaskUnpicklableError("the task's value", type(value).__name__))


def _failure(error: BaseException) -> bytes:
    trace = "".join(traceback.format_exception(error))
    is_for_others = isinstance(error, (KeyboardInterrupt, GeneratorExit))  # here they would be for this process
    sent = TaskUnpicklableError("the task's end", type(error).__name__) if is_for_others else error
    try:
        blob = _dumps(Answer(error=sent, trace=trace))
        pickle.loads(blob)  # noqa: S301 - our own; an exception may pickle and not come back
    except Exception:  # noqa: BLE001 - as above
        unpicklable = TaskUnpicklableError("the task's exception", type(error).__name__)
        blob = _dumps(Answer(error=unpicklable, trace=trace))
    return blob
