"""Loads an app, `module:attribute`, and compiles its pipe with the placement that a deployment gives."""

import importlib
import sys
from pathlib import Path

from headrace.errors import AppError
from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement, parse_placement
from headrace.graph.plan import ExecutionPlan


def load_plan(reference: str, placement_path: Path | None = None) -> ExecutionPlan:
    """Load and compile a pipe.

    The working directory is put on the import path, as for a script there.

    Args:
        reference: `module:attribute`.
        placement_path: A TOML file that overrides the code's placement; None for the code's own.

    Raises:
        AppError: The reference leads to no pipe, or the placement cannot be read.
        CompileError: The pipe has mistakes.
        SettingsError: The placement is malformed.
    """
    return load_pipe(reference).compile(read_placement(placement_path))


def load_pipe(reference: str) -> Pipe:
    """Load a pipe; raises as `load_plan`."""
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise AppError(reference, "it is not of the form module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise AppError(reference, f"there is no module '{error.name}' in {here} or on the import path") from error
        raise
    found = getattr(module, attribute, None)
    if not isinstance(found, Pipe):
        raise AppError(reference, f"'{attribute}' in '{module_name}' is no Pipe")
    return found


def read_placement(path: Path | None) -> Placement | None:
    """Read a placement file; raises as `load_plan`."""
    if path is None:
        return None
    try:
        text = path.read_text()
    except OSError as error:
        raise AppError(str(path), f"the placement cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AppError(str(path), "the placement is not UTF-8") from error
    return parse_placement(text)
