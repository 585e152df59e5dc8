"""Whatever the graph: what each service asks of Redis is within the rights that were computed for it.

A right that is missing would be found in the middle of a script, whose writes before it stay. So histories of random
plans are run, each service as a user of its own, on a server that logs what it refuses.
"""

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine
from tests.property.random_plans.as_users import AsUsers
from tests.property.random_plans.pipes import compile_plan
from tests.property.random_plans.shapes import Plan
from tests.property.random_plans.test_random_plans import RandomPlans
from tests.support.acl import refusals
from tests.support.redis_server import RedisServer

from headrace.bus.redis.bus import RedisBus

EXAMPLES = 25
STEPS = 30


class RandomPlansAsUsers(RandomPlans):
    def open_redis(self, plan: Plan, namespace: str, batch: int) -> RedisBus:
        as_users: Any = AsUsers(self.url, compile_plan(plan), namespace, lane_batch=batch)
        return cast("RedisBus", as_users)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_schedule_of_a_random_plan_needs_a_right_that_its_graph_does_not_give() -> None:
    with RedisServer() as server:
        RandomPlansAsUsers.url = server.url
        machine: type[RuleBasedStateMachine] = RandomPlansAsUsers
        machine.TestCase.settings = settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.generate,),
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        machine.TestCase("runTest").runTest()
        assert refusals(server.url) == []
