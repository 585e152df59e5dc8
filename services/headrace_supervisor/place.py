"""A place that one child after the other fills: started again when it dies, given up when that does not help.

| event | level | says |
| --- | --- | --- |
| `child_ready` | info | a child works: `place`, `pid`, `restarts` |
| `child_died` | warning | `how` it ended, what that was for its `group` in `words`, the seconds until the next start |
| `child_given_up` | error | its place stays empty, and everything is stopped |
| `child_cut_off` | error | it did not stop in time when it was told to, and was killed |
| `plan_changed` | warning | the pipe's code is not what it was when the first child was started |
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar

import structlog

from headrace.errors import HandoffError, HeadraceError
from headrace.runtime.reports import Beat, Hello, Ready, Report
from headrace_supervisor.child import Child, Output, Spec
from headrace_supervisor.ending import Ending
from headrace_supervisor.rate import Rate
from headrace_supervisor.restarts import RestartPolicy, Restarts

_log = structlog.get_logger("headrace.supervisor")


class ChildLostError(HeadraceError):
    """A service that consumes no group does not come up, or does not stay up."""

    code: ClassVar[str] = "child_lost"

    def __init__(self, place: str, how: str) -> None:
        super().__init__(f"the {place} {how}")


class State(StrEnum):
    """Where a place stands.

    WAITING: its child has died, and the next one is started in a moment. LOST: it was given up.
    """

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LOST = "lost"


class Place:
    """Keeps one child running until it is told to stop.

    Args:
        plans: Versions of the pipes' plans, as the supervisor has loaded them.

    Attributes:
        state: Where it stands.
        restarts: Times that a child was started again.
        url: Where its child listens; empty for nowhere.
        beat: What its child said last.
        per_s: Of what its children have done, a second, lately.
        was_cut_off: A child did not stop in time.
        lost: Why it was given up.
    """

    def __init__(
        self, spec: Spec, plans: dict[str, str], policy: RestartPolicy | None = None, output: Output | None = None
    ) -> None:
        self.spec = spec
        self._plans = plans
        self._restarts = Restarts(policy or RestartPolicy())
        self._output = output
        self._stopping = asyncio.Event()
        self._settled = asyncio.Event()
        self._child: Child | None = None
        self._rate = Rate()
        self.state = State.STARTING
        self.restarts = 0
        self.url = ""
        self.beat = Beat()
        self.was_cut_off = False
        self.lost: HeadraceError | None = None

    @property
    def pid(self) -> int:
        """The child's process, 0 where there is none now."""
        return self._child.pid if self._child is not None else 0

    @property
    def per_s(self) -> float:
        """What its children have done lately, a second."""
        return self._rate.per_s(asyncio.get_running_loop().time())

    async def run(self, on_lost: Callable[[], None]) -> None:
        """Keep a child running until `stop`, or until it is given up.

        Args:
            on_lost: Called when it is.
        """
        while not self._stopping.is_set():
            ending = await self._live()
            if self._stopping.is_set():
                break
            again_s = self._restarts.after(ending)
            self._tell(ending, again_s)
            if again_s is None:
                self._lose(ending)
                on_lost()
                return
            self.state = State.WAITING
            await self._pause(again_s)
            self.restarts += 1
        self.state = State.STOPPED
        self._settled.set()

    def stop(self) -> None:
        """Ask the child to stop, and `run` to return; idempotent, legal before start."""
        if not self._stopping.is_set() and self.state is not State.LOST:
            self.state = State.STOPPING
        self._stopping.set()

    def kill(self) -> None:
        """End the child at once; where it was not told to stop, another is started."""
        if self._child is not None:
            self._child.kill()

    async def settled(self) -> None:
        """Wait until the first child works, or none will."""
        await self._settled.wait()

    async def _live(self) -> Ending:
        self.state, self.beat = State.STARTING, Beat()
        self._child = child = Child(self.spec, self._hear, self._output)
        try:
            return await child.live(self._stopping)
        finally:
            self._child = None
            self._rate.forget()
            if child.was_cut_off:
                self.was_cut_off = True
                _log.error("child_cut_off", place=self.spec.name, pid=child.pid, stop_s=self.spec.stop_s)

    def _hear(self, report: Report) -> None:
        match report:
            case Hello(plans=plans):
                changed = sorted(pipe for pipe, version in plans.items() if self._plans.get(pipe, version) != version)
                if changed:
                    _log.warning("plan_changed", place=self.spec.name, pid=self.pid, pipes=changed)
            case Ready(url=url):
                self.url = url
                if not self._stopping.is_set():
                    self.state = State.READY
                self._settled.set()
                _log.info("child_ready", place=self.spec.name, pid=self.pid, restarts=self.restarts)
            case Beat():
                self.beat = report
                self._rate.take(report.done, asyncio.get_running_loop().time())

    def _tell(self, ending: Ending, again_s: float | None) -> None:
        group = self.spec.group
        about = {"group": group, "words": ending.handoff.for_group(group)} if group else {}
        _log.warning("child_died", place=self.spec.name, how=str(ending), again_s=again_s, **about)

    def _lose(self, ending: Ending) -> None:
        times = f", {self._restarts.early} times in a row" if self._restarts.early > 1 else ""
        group, how = self.spec.group, f"{ending}{times}"
        if group:
            self.lost = HandoffError(group, ending.handoff, f"its worker {how}")
        else:
            self.lost = ChildLostError(self.spec.name, how)
        self.state = State.LOST
        self._settled.set()
        _log.error("child_given_up", place=self.spec.name, how=how)

    async def _pause(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return
