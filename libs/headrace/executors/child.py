"""A child process: makes the calls that come on its standard input, one at a time, and answers on its standard output.

What a task prints goes to standard error, and it has no standard input. Frames are a length and a pickle. The end of
the input ends the child: at once where a task is under way, for then its parent is dead and nobody waits any more.
"""

import os
import queue
import signal
import sys
import threading
from functools import partial
from typing import BinaryIO

from headrace.executors.await_here import make
from headrace.executors.frames import LENGTH_BYTES, length_of, with_length
from headrace.executors.pickles import answer


class _Requests:
    """Reads frames in a thread, so that the end of the input is seen while a task is under way."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_busy = False
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def next(self) -> bytes | None:
        """Wait for the next frame; None at the end."""
        return self._frames.get()

    def _read(self) -> None:
        while len(head := self._stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
            frame = self._stream.read(length_of(head))
            self.is_busy = True
            self._frames.put(frame)
        if self.is_busy:
            os._exit(1)
        self._frames.put(None)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    requests = _Requests(os.fdopen(_take_over(0, os.devnull), "rb"))
    with os.fdopen(_take_over(1, None), "wb") as answers:
        while (frame := requests.next()) is not None:
            blob = answer(frame, make)
            requests.is_busy = False  # before its parent has it, who may close the input at once
            answers.write(with_length(blob))
            answers.flush()


def _take_over(descriptor: int, instead: str | None) -> int:
    """Keep a standard stream for ourselves; whoever uses it from now on gets a file, or standard error."""
    ours = os.dup(descriptor)
    other = os.open(instead, os.O_RDONLY) if instead is not None else sys.stderr.fileno()
    os.dup2(other, descriptor)
    # what a task forks may live longer than this process, and would hide its death from who reads the pipe
    os.register_at_fork(after_in_child=partial(os.dup2, descriptor, ours))
    return ours
