"""`Pipe`, as users have it: what is declared in `graph`, and runs of it in this process."""

from collections.abc import Mapping
from typing import Any

from headrace.graph.pipe import Pipe as DeclaredPipe
from headrace.kernel.engine.engine import Engine
from headrace.kernel.engine.options import DEFAULT_CONCURRENCY, RunOptions
from headrace.kernel.engine.stream import RunEvents
from headrace.kernel.events import Observer


class Pipe(DeclaredPipe):
    """A named pipeline: a graph of nodes, routed by the types they take and return.

    Nothing is checked while nodes are declared; `compile` reports every mistake at once. `run`, `run_sync` and
    `events` run one message in this process, whatever the placement, and encode nothing: branches share the messages
    that they are sent. Every run is alone: start-up and shutdown hooks, container, keys and their state.

    Args:
        name: Lower-case letters, digits, `-` and `_`, a letter first, at most 63 in all.
        entry: The type that a run starts from; needed only where it does not follow from the nodes.
        read_line: Makes the entry message of one line of an input file, where lines are not the JSON of that type.
    """

    _engine: Engine | None = None
    _compiled_of: int = -1

    async def run(
        self,
        message: object,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - of the run, which ends then as expired
        signals: Mapping[str, object] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        observers: tuple[Observer, ...] = (),
    ) -> Any:  # noqa: ANN401 - the result's type is the pipe's
        """Run a message in the task of the caller; gives the result, None for an empty one.

        Cancelling the caller cancels the run; its shutdown hooks are called.

        Args:
            timeout: Seconds until the run expires.
            signals: What calls that suspend themselves find there already, by name.
            concurrency: The most calls under way at a time, whatever their nodes.
            observers: Told of the run's events, after the pipe's own.

        Raises:
            CompileError: The pipe has mistakes.
            InvalidMessageError: The message, or a signal, is of another type.
            ValueError: The timeout is no number of seconds, or the concurrency no whole number of at least 1.
            TypeError: An observer is no function, or an `async def`.
            RunFailedError, RunExpiredError: The run ended otherwise; a node's exception is the cause.
            RunSuspendedError: All that is left of it waits for signals.
        """
        options = RunOptions(
            timeout_s=timeout, signals=signals or {}, concurrency=concurrency, observers=observers, waits=False
        )
        return await self._compiled().run(message, options)

    def run_sync(
        self,
        message: object,
        *,
        timeout: float | None = None,
        signals: Mapping[str, object] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        observers: tuple[Observer, ...] = (),
    ) -> Any:  # noqa: ANN401 - as run
        """As `run`, in an event loop of its own, blocking.

        Raises:
            RuntimeError: This thread runs an event loop: await `run` there.
        """
        options = RunOptions(
            timeout_s=timeout, signals=signals or {}, concurrency=concurrency, observers=observers, waits=False
        )
        return self._compiled().run_sync(message, options)

    def events(
        self,
        message: object,
        *,
        timeout: float | None = None,
        signals: Mapping[str, object] | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        observers: tuple[Observer, ...] = (),
    ) -> RunEvents:
        """Run a message and iterate over what happens: `async for event in pipe.events(message)`.

        The run begins when the first event is asked for, and goes no faster than they are read. `RunFinished` is the
        last one; failures are events, and not raised. A run that waits for signals goes on waiting: send them with
        `RunEvents.signal`. Arguments and errors are those of `run`, of which those of how it ends are not raised.
        """
        options = RunOptions(timeout_s=timeout, signals=signals or {}, concurrency=concurrency, observers=observers)
        return self._compiled().events(message, options)

    def _compiled(self) -> Engine:
        """Compile the pipe where something was declared since."""
        declared = len(self._nodes) + sum(map(len, self._lists()))
        if self._engine is None or declared != self._compiled_of:
            self._engine, self._compiled_of = Engine(self.compile()), declared
        return self._engine
