"""Pipes that are made at random are right: a plan that does not compile would test nothing."""

from hypothesis import given, settings
from tests.property.random_plans.pipes import compile_plan
from tests.property.random_plans.plans import plans
from tests.property.random_plans.shapes import Plan


@settings(max_examples=50, deadline=None)
@given(plan=plans())
def test_every_random_plan_compiles_and_opens_the_scopes_that_are_described(plan: Plan) -> None:
    compiled = compile_plan(plan)
    assert {name for name, node in compiled.nodes.items() if node.opens} == plan.opened
