"""The end of a process whose parent has ended: asked for at once, forced later even where its loop is blocked."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

EXIT_ORPHANED = 3
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def watch_parent(fd: int, orphaned: Callable[[], object], *, orphan_s: float) -> None:
    """Watch a pipe that a parent holds open as long as it lives, from a thread, which no blocked event loop stops.

    On Linux not even SIGSTOP does: the process goes on when its parent ends.

    Args:
        fd: The reading end; closed when the parent has ended.
        orphaned: Called in the thread, then.
        orphan_s: Seconds after that, at which the process ends with 3 if it has not ended by itself.
    """
    _go_on_when_the_parent_ends()
    threading.Thread(target=_watch, args=(fd, orphaned, orphan_s), name="lifeline", daemon=True).start()


def _go_on_when_the_parent_ends() -> None:
    # SIGCONT and not SIGKILL: work under way has its time to end
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGCONT))


def _watch(fd: int, orphaned: Callable[[], object], orphan_s: float) -> None:
    with suppress(OSError):  # a pipe that cannot be read has no parent at its other end
        os.read(fd, 1)
    with suppress(RuntimeError):  # the loop has been closed: the process is about to end
        orphaned()
    time.sleep(orphan_s)
    os._exit(EXIT_ORPHANED)
