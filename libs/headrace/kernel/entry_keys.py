"""The key that a run's entry message has at a node; its function is the user's, and whoever starts the run is told."""

from collections.abc import Callable
from typing import Any

from headrace.errors import InvalidMessageError
from headrace.graph.plan import ExecutionPlan


def entry_key(plan: ExecutionPlan, node: str, key_of: Callable[[Any], str], message: object) -> str:
    """Compute it.

    Raises:
        InvalidMessageError: It cannot be computed.
    """
    try:
        return key_of(message)
    except Exception as error:
        why = f"the key of node '{node}' cannot be computed ({type(error).__name__})"
        raise InvalidMessageError(plan.entry_type, why) from error
