"""The version of a plan: the same for the same code on every host and in every process. Pure.

It covers what two processes must agree on to run one plan together: the nodes, what they take and send, where that
goes, which group runs them, how they fail, and the fields of every type. It does not cover the code of functions, file
names, dependencies, or `concurrency` and `executor`, which alter pace alone. The order of declaration does not count.
"""

import hashlib
import json
from typing import Any

from headrace.graph.options import Retry
from headrace.graph.plan import ExecutionPlan, Keyed, PlanNode

_DIGITS = 12


def fingerprint(plan: ExecutionPlan) -> str:
    """Give the version of a plan, whatever version it has now."""
    facts = {
        "pipe": plan.pipe,
        "entry": plan.entry_type,
        "nodes": {name: _node_facts(node, plan) for name, node in plan.nodes.items()},
        "types": {name: codec.json_schema() for name, codec in plan.codecs.items()},
    }
    # a default value that is no JSON stands as its type: a repr may hold an address
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_qualified)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _node_facts(node: PlanNode, plan: ExecutionPlan) -> dict[str, Any]:
    return {
        "group": node.group,
        "slots": [(slot.name, slot.type_name, slot.kind) for slot in node.slots],
        "signals": {name: codec.json_schema() for name, codec in node.signals.items()},
        "outputs": sorted(node.outputs),
        "series": node.is_series,
        "anywhere": node.sends_anywhere,
        "routes": {
            plan.type_names[sent]: sorted((route.node, route.slot) for route in routes)
            for sent, routes in node.routes.items()
        },
        "retry": _retry_facts(node.retry),
        "timeout_s": node.timeout_s,
        "barrier_timeout_s": node.barrier_timeout_s,
        "max_visits": node.max_visits,
        "keyed": _keyed_facts(node.keyed),
    }


def _retry_facts(retry: Retry | None) -> dict[str, Any] | None:
    if retry is None:
        return None
    return {
        "attempts": retry.attempts,
        "backoff": retry.backoff,
        "max_backoff": retry.max_backoff,
        "jitter": retry.jitter,
        "on": sorted(f"{each.__module__}.{each.__qualname__}" for each in retry.on),
    }


def _keyed_facts(keyed: Keyed | None) -> dict[str, Any] | None:
    if keyed is None:
        return None
    state = keyed.state
    return {
        "key": keyed.key,
        "order": keyed.order,
        "state": state.json_schema() if state is not None else None,
        "state_ttl_s": keyed.state_ttl_s,
        "state_max_bytes": keyed.state_max_bytes,
    }


def _qualified(value: object) -> str:
    return type(value).__qualname__
