"""`Pipe`: where a user declares nodes. It writes down; `compile` reads, checks and freezes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar, Unpack, overload

from headrace.graph.compile import compile_plan
from headrace.graph.declaration import Declaration, NodeOptions, PipeDeclaration, declare, place_of
from headrace.graph.placement import Placement
from headrace.graph.plan import ExecutionPlan
from headrace.graph.render import as_json, as_mermaid

F = TypeVar("F", bound=Callable[..., Any])
Hook = TypeVar("Hook", bound=Callable[[], Any])
Wrap = TypeVar("Wrap", bound=Callable[..., Any])


class Pipe:
    """A named pipeline: a graph of nodes, routed by the types they take and return.

    Nothing is checked while nodes are declared; `compile` reports every mistake at once.

    Args:
        name: Lower-case letters, digits, `-` and `_`, a letter first, at most 63 in all.
        entry: The type that a run starts from; needed only where it does not follow from the nodes.
        read_line: Makes the entry message of one line of an input file, where lines are not the JSON of that type.
    """

    def __init__(
        self, name: str, *, entry: type[Any] | None = None, read_line: Callable[[str], Any] | None = None
    ) -> None:
        self.name = name
        self.entry = entry
        self.read_line = read_line
        self._where = place_of(_caller())
        self._nodes: list[Declaration] = []
        self._on_startup: list[Callable[[], Any]] = []
        self._on_shutdown: list[Callable[[], Any]] = []
        self._observers: list[Any] = []
        self._providers: list[Any] = []
        self._hooks: list[Any] = []
        self._middleware: list[Any] = []
        self._classifiers: list[Any] = []

    @overload
    def node(self, function: F, /) -> F: ...

    @overload
    def node(self, /, **options: Unpack[NodeOptions]) -> Callable[[F], F]: ...

    def node(self, function: F | None = None, /, **options: Unpack[NodeOptions]) -> F | Callable[[F], F]:
        """Make a function a node: `@pipe.node`, or `@pipe.node(...)` with the options of `NodeOptions`.

        The function itself stays as it is. Its parameters say what it takes: one message type, or several for a join
        of all, among them `First[A | B]` and `Partial[T]`; or the `Gather[T]` of a fan-out. `Signal[T]`, `Inject[T]`,
        `State[T]`, `Context` stand beside them. Its return says what it sends: a type, a union as a switch, a list or
        an iterator as a series, None for nothing. In a union, None and `Drop` mean that this branch may end here: to
        return None is to send nothing. `Retry`, `Suspend` and `To` may stand in the union too.
        """
        frame = _caller()

        def add(function: F) -> F:
            self._nodes.append(declare(function, options, frame))
            return function

        return add if function is None else add(function)

    def on_startup(self, function: Hook) -> Hook:
        """Have a function called, without arguments, when a process that runs nodes of the pipe starts."""
        self._on_startup.append(function)
        return function

    def on_shutdown(self, function: Hook) -> Hook:
        """Have a function called, without arguments, when such a process stops, whatever happened."""
        self._on_shutdown.append(function)
        return function

    def observe(self, observer: Any) -> None:  # noqa: ANN401 - the kernel, above, owns the observer's protocol
        """Tell an observer of the kernel's events.

        Raises:
            TypeError: It is no function, or an `async def`.
        """
        check_synchronous("an observer", observer)
        self._observers.append(observer)

    def provide(self, provider: Any) -> None:  # noqa: ANN401 - a dishka Provider, which only the kernel may know
        """Fill `Inject[...]` parameters from a provider."""
        self._providers.append(provider)

    def hook(self, hook: Wrap) -> Wrap:
        """Have events go through a function: it gives the event that observers are told in its place, or None.

        A run's last event cannot be kept back. Raises as `observe`.
        """
        check_synchronous("a hook", hook)
        self._hooks.append(hook)
        return hook

    def middleware(self, middleware: Wrap) -> Wrap:
        """Wrap the calls of all nodes: a function that is given a node of the plan and what calls it, gives what does.

        What calls a node is awaited with its parameters by name, and gives what came back in a list. The first one
        that is added is the outermost.
        """
        self._middleware.append(middleware)
        return middleware

    def classify(self, classifier: Wrap) -> Wrap:
        """Have a say in failures: a function of the exception and the failure, gives a kind, a source, or None.

        Raises as `observe`.
        """
        check_synchronous("a classifier", classifier)
        self._classifiers.append(classifier)
        return classifier

    def include(self, other: "Pipe") -> None:
        """Add another pipe: its nodes, hooks, observers, providers, middleware and classifiers, as declared so far.

        Routes go by type through the whole: what this pipe sends and the other takes goes there, and back. In events
        the other's nodes have the `origin_run_id` of the run and the other's name.
        """
        for declaration in tuple(other._nodes):  # noqa: SLF001 - of its own kind
            origin = f"{other.name}/{declaration.origin}" if declaration.origin else other.name
            self._nodes.append(replace(declaration, origin=origin))
        for mine, others in zip(self._lists(), other._lists(), strict=True):  # noqa: SLF001 - as above
            mine.extend(each for each in others if not any(each is known for known in mine))

    def describe(self) -> dict[str, Any]:
        """Give the compiled pipe as values that are JSON, the schema of every message type included."""
        return as_json(self.compile())

    def mermaid(self) -> str:
        """Draw the compiled pipe as a Mermaid flowchart."""
        return as_mermaid(self.compile())

    def _lists(self) -> tuple[list[Any], ...]:
        """Give all that is declared beside nodes."""
        hooks = (self._on_startup, self._on_shutdown, self._hooks)
        return (*hooks, self._observers, self._providers, self._middleware, self._classifiers)

    def compile(self, placement: Mapping[str, str] | Placement | None = None) -> ExecutionPlan:
        """Check the pipe and freeze it.

        Args:
            placement: Group by node; it wins over `group=`. Nodes in neither are in group "main", unless a
                `Placement` says otherwise.

        Raises:
            CompileError: The pipe has mistakes; all of them are in it.
        """
        declared = PipeDeclaration(
            name=self.name,
            entry=self.entry,
            where=self._where,
            nodes=tuple(self._nodes),
            on_startup=tuple(self._on_startup),
            on_shutdown=tuple(self._on_shutdown),
            observers=tuple(self._observers),
            providers=tuple(self._providers),
            hooks=tuple(self._hooks),
            middleware=tuple(self._middleware),
            classifiers=tuple(self._classifiers),
            read_line=self.read_line,
        )
        return compile_plan(declared, placement)


def check_synchronous(what: str, function: object) -> None:
    """Refuse what cannot be called for an event.

    Raises:
        TypeError: It is no function, or an `async def`.
    """
    if not callable(function):
        raise TypeError(f"{what} is a function, not a {type(function).__name__}")
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} is called on the event loop and not awaited; {function!r} is an async def")


def _caller() -> FrameType | None:
    frame = inspect.currentframe()
    method = frame.f_back if frame is not None else None
    return method.f_back if method is not None else None
