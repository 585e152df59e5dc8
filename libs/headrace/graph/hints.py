"""The annotations of a node's function, resolved as soon as their names exist. Pure.

Annotations may be strings (`from __future__ import annotations`), may name types that are local to the function in
which the node is declared, and may name types that are defined only later. So they are resolved twice: where the
decorator stands, and at compile for what was missing. The caller's frame is kept only while something is missing.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, get_type_hints

from headrace.wire.codec import is_message_type

_IT = "it"
_WHOLE = ""  # stands for all annotations, where not even the mapping of them can be read (Python 3.14 evaluates it)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why an annotation has no value yet, and the name that is missing, if it is that."""

    why: str
    missing: str


class Hints:
    """The annotations of one function.

    Args:
        function: The user's function; a wrapper made with `functools.wraps` shows what it wraps.
        frame: Where the decorator stands.
    """

    def __init__(self, function: Callable[..., Any], frame: FrameType | None) -> None:
        self._function = inspect.unwrap(function)
        self._frame = frame
        self.resolved: dict[str, Any] = {}
        self.unresolved: dict[str, Unresolved] = {}
        self.resolve()

    def resolve(self) -> None:
        """Try once more to resolve what is not resolved yet."""
        self.unresolved.clear()
        try:
            annotations: Mapping[str, Any] = dict(getattr(self._function, "__annotations__", {}))
        except NameError as error:
            self.unresolved[_WHOLE] = Unresolved(str(error), error.name or "")
            return
        for name, annotation in annotations.items():
            if name not in self.resolved:
                self._resolve_one(name, annotation)
        if not self.unresolved:
            self._frame = None  # what it held is free again: a test's locals may be large, or files

    def message_names(self) -> tuple[str, ...]:
        """Name the message types that an annotation could have meant."""
        names = {**self._globals(), **self._locals()}
        return tuple(name for name, value in names.items() if is_message_type(value))

    def _resolve_one(self, name: str, annotation: object) -> None:
        try:
            self.resolved[name] = _evaluated(annotation, self._globals(), self._locals())
        except NameError as error:
            self.unresolved[name] = Unresolved(str(error), error.name or "")
        except (AttributeError, SyntaxError, TypeError) as error:
            self.unresolved[name] = Unresolved(str(error), "")

    def _globals(self) -> dict[str, Any]:
        return getattr(self._function, "__globals__", {})

    def _locals(self) -> dict[str, Any]:
        names: dict[str, Any] = dict(self._frame.f_locals) if self._frame is not None else {}
        code = getattr(self._function, "__code__", None)
        cells = getattr(self._function, "__closure__", None) or ()
        for name, cell in zip(code.co_freevars if code is not None else (), cells, strict=False):
            try:
                names[name] = cell.cell_contents
            except ValueError:  # a name that is bound further down
                continue
        return names


def _evaluated(annotation: object, global_names: dict[str, Any], local_names: dict[str, Any]) -> object:
    def carrier() -> None: ...

    # one by one: get_type_hints of the whole function stops at the first that is wrong
    carrier.__annotations__ = {_IT: annotation}
    return get_type_hints(carrier, global_names, local_names, include_extras=True)[_IT]
