"""Names of scopes: "" for the run's own, else the ids of those opened, outermost first, with "/" between. Pure."""

from hashlib import blake2b

_ID_BYTES = 8  # collisions matter only within one run


def digest(name: str) -> str:
    """Make an id, of 16 hexadecimal digits, of a name that is unique in its run."""
    return blake2b(name.encode(), digest_size=_ID_BYTES).hexdigest()


def child_scope(scope: str, invocation_id: str, node: str) -> str:
    """Name the scope that a call opens; the same again where the call is repeated."""
    opened = digest(f"{invocation_id}/{node}/scope")
    return f"{scope}/{opened}" if scope else opened


def outer_scope(scope: str, up: int) -> str | None:
    """Name the scope so many levels out; None where that is above the run's own."""
    for _ in range(up):
        if not scope:
            return None
        scope = scope.rpartition("/")[0]
    return scope
