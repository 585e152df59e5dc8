"""The backends by name, and how many tasks each runs at a time by default."""

import importlib
from typing import Literal

from headrace.errors import BackendMissingError
from headrace.executors.backend import Backend, Places
from headrace.executors.capacity import cores, free_bytes
from headrace.executors.inline import Inline
from headrace.executors.threads import Threads

BackendName = Literal["inline", "thread", "process", "ray"]

_WAITING_THREADS = 4  # threads also wait, for files and sockets; as the standard library's pool adds
_COROUTINES = 256  # they wait nearly always; as many as a worker has slots
_CHILD_BYTES = 128 * 1024 * 1024  # a child with the library and a modest application
_CLUSTER = 64  # a cluster's cores are not ours to count; Ray itself queues what they are too few for
_EXTRAS = {"process": ("headrace.executors.processes", "Processes"), "ray": ("headrace.executors.ray", "Ray")}


def make_backend(backend: BackendName | Backend) -> tuple[Backend, int]:
    """Make a backend; give it with its default concurrency.

    Raises:
        BackendMissingError: What it runs on is not installed.
    """
    match backend:
        case "inline":
            return Inline(), _COROUTINES
        case "thread":
            return Threads(), cores() + _WAITING_THREADS
        case "process" | "ray":
            return places_of(backend)
        case _:
            return backend, cores()


def places_of(name: str) -> tuple[Places, int]:
    """Make a backend that not every service installs; give it with its default concurrency.

    Raises:
        BackendMissingError: It is not installed.
    """
    module, attribute = _EXTRAS[name]
    try:
        places: Places = getattr(importlib.import_module(module), attribute)()
    except ModuleNotFoundError as error:
        raise BackendMissingError(name, error.name or name) from error
    return places, _CLUSTER if name == "ray" else processes_that_fit()


def processes_that_fit() -> int:
    """Count the child processes that cores and free memory allow; at least 1."""
    free = free_bytes()
    return cores() if free is None else max(1, min(cores(), free // _CHILD_BYTES))
