"""A run as callers see it."""

import msgspec
from msgspec import Struct

from headrace.errors import Failure


class RunBody(Struct, frozen=True, omit_defaults=True):
    """A run as callers see it.

    Attributes:
        created_ms: Unix time in milliseconds; left out where it is not known here.
        result: As the pipe's path would have answered it; null where the run completed without one.
    """

    trace_id: str
    pipe: str
    plan: str
    state: str
    created_ms: int = 0
    result: msgspec.Raw | None = None
    failure: Failure | None = None
