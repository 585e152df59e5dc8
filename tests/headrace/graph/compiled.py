"""What the tests of the graph share: the mistakes and the routes of a pipe, as text."""

from collections.abc import Mapping

import pytest

from headrace.errors import CompileError
from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement
from headrace.graph.plan import ExecutionPlan


def mistakes_of(pipe: Pipe, placement: Mapping[str, str] | Placement | None = None) -> list[str]:
    """Compile and give the mistakes without their places."""
    with pytest.raises(CompileError) as caught:
        pipe.compile(placement)
    return [line.partition(": ")[2] for line in caught.value.mistakes]


def routes_of(plan: ExecutionPlan, node: str) -> dict[str, list[str]]:
    """Give a node's routes with names in place of classes."""
    return {
        plan.type_names[sent]: [f"{route.node}.{route.slot}" for route in routes]
        for sent, routes in plan.nodes[node].routes.items()
    }
