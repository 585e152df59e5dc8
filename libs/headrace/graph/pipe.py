"""`Pipe`: where a user declares nodes. It writes down; `compile` reads, checks and freezes."""

import inspect
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar, Unpack, overload

from headrace.graph.compile import compile_plan
from headrace.graph.declaration import Declaration, NodeOptions, PipeDeclaration, declare, place_of
from headrace.graph.placement import Placement
from headrace.graph.plan import ExecutionPlan

F = TypeVar("F", bound=Callable[..., Any])
Hook = TypeVar("Hook", bound=Callable[[], Any])


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
        """Tell an observer of the kernel's events."""
        self._observers.append(observer)

    def provide(self, provider: Any) -> None:  # noqa: ANN401 - a dishka Provider, which only the kernel may know
        """Fill `Inject[...]` parameters from a provider."""
        self._providers.append(provider)

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
            read_line=self.read_line,
        )
        return compile_plan(declared, placement)


def _caller() -> FrameType | None:
    frame = inspect.currentframe()
    method = frame.f_back if frame is not None else None
    return method.f_back if method is not None else None
