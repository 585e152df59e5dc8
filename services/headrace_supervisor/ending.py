"""How a child process ended, and what that means for whoever waits for its group's work. Pure."""

import signal

from msgspec import Struct

from headrace.errors import Handoff
from headrace.settings.exits import EXIT_MISTAKE


class Ending(Struct, frozen=True):
    """The end of a child.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        was_ready: It had said so.
        lived_s: Seconds that it was ready.
        handoff: What that was for its group.
        because: Why the supervisor ended it; empty where it did not.
    """

    code: int
    was_ready: bool
    lived_s: float = 0.0
    handoff: Handoff = Handoff.FAILED
    because: str = ""

    @property
    def is_mistake(self) -> bool:
        """Whether it refused what it was started with, so that it would again."""
        return self.code == EXIT_MISTAKE and not self.was_ready

    def __str__(self) -> str:
        when = "" if self.was_ready else " before it was ready"
        return f"{self.because or _by(self.code)}{when}"


def _by(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
