"""A child that does what its bundle says, good or bad; standard library only, so that it starts at once."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class Faulty:
    """The child; a method for each thing that its `app` may ask for, which gives an exit code."""

    def __init__(self) -> None:
        with os.fdopen(int(os.environ["HEADRACE_BOOTSTRAP_FD"])) as pipe:
            self.told: dict[str, Any] = json.load(pipe)
        self.path = Path(self.told["group"])
        self.reports = os.fdopen(self.told["report_fd"], "w", buffering=1)

    def good(self) -> int:
        self.hello()
        self.ready()
        while True:
            self.say("beat", in_flight=1, done=2)
            time.sleep(0.02)

    def crash(self) -> int:
        return 3

    def refuse(self) -> int:
        return 2

    def refuse_later(self) -> int:
        while not self.path.exists():
            time.sleep(0.01)
        return self.refuse()

    def silent(self) -> int:
        hang()

    def garbage(self) -> int:
        self.reports.write("garbage\n")
        hang()

    def other(self) -> int:
        self.hello(protocol=9)
        hang()

    def mute(self) -> int:
        self.hello()
        self.ready()
        hang()

    def die(self) -> int:
        self.hello()
        self.ready()
        return 4

    def once(self) -> int:
        if self.path.exists():
            return self.good()
        self.path.touch()
        return 5

    def stubborn(self) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return self.good()

    def prints(self) -> int:
        settings = {name: value for name, value in os.environ.items() if name.startswith("HEADRACE_")}
        sys.stdout.write(f"to stdout\n{json.dumps(settings)}\n")
        sys.stdout.flush()
        sys.stderr.write("to stderr\n")
        return self.good()

    def forks(self) -> int:
        if os.fork() == 0:
            self.path.write_text(str(os.getpid()))
            hang()
        return self.good()

    def hello(self, protocol: int = 1) -> None:
        self.say("hello", protocol=protocol, pid=os.getpid(), plans={"pipe": self.told["namespace"]})

    def ready(self) -> None:
        self.say("ready", url="http://here")

    def say(self, report: str, **fields: object) -> None:
        self.reports.write(json.dumps({"type": report, **fields}) + "\n")


def hang() -> NoReturn:
    """Do nothing, for ever."""
    while True:
        time.sleep(60)


if __name__ == "__main__":
    child = Faulty()
    does: Callable[[], int] = getattr(child, child.told["app"])
    sys.exit(does())
