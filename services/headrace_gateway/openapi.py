"""What OpenAPI says of pipes: requests from entry types and signals, responses from terminal types. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import RunState
from headrace.runtime.sent_signals import signal_codecs
from headrace.wire.codec import MessageCodec

_DEFINITIONS = "#/$defs/"
_COMPONENTS = "#/components/schemas/"
_TEXT = {"type": "string"}
_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        **dict.fromkeys(("type", "title", "detail", "code", "trace_id"), _TEXT),
        "status": {"type": "integer"},
        "failure": {"type": "object"},
    },
}
_RUN_SCHEMA = {
    "type": "object",
    "required": ["trace_id", "pipe", "plan", "state"],
    "properties": {
        **dict.fromkeys(("trace_id", "pipe", "plan"), _TEXT),
        "state": {"enum": [state.value for state in RunState]},
        "created_ms": {"type": "integer"},
        "result": {},
        "failure": {"type": "object"},
    },
}
PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": f"{_COMPONENTS}Problem"}}},
}
RUN: dict[str, Any] = {
    "description": "Where the run stands.",
    "content": {"application/json": {"schema": {"$ref": f"{_COMPONENTS}Run"}}},
}
_STATUSES = (400, 409, 413, 422, 500, 502, 503, 504)
_HEADERS = (
    ("Prefer", "`wait=SECONDS` bounds the wait, `respond-async` does not wait; both answer 202 with a Location."),
    ("X-Request-Timeout", "Seconds until the run's deadline."),
    ("traceparent", "W3C Trace Context."),
)


def operation_of(plan: ExecutionPlan) -> dict[str, Any]:
    """Give the arguments that describe a pipe's route to FastAPI."""
    responses: dict[int | str, dict[str, Any]] = dict.fromkeys(_STATUSES, PROBLEM)
    responses[200] = {"description": "The run's result.", "content": _messages(plan, plan.terminal_types)}
    responses[202] = {**RUN, "description": "The run goes on; Location says where to ask for it."}
    responses[204] = {"description": "The run completed without a result."}
    return {
        "operation_id": f"run_{plan.pipe}",
        "summary": f"Run {plan.pipe}",
        "responses": responses,
        "openapi_extra": {
            "requestBody": {"required": True, "content": _messages(plan, (plan.entry_type,))},
            "parameters": [
                {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
                for name, text in _HEADERS
            ],
        },
    }


def signal_operation_of(name: str, plans: Sequence[ExecutionPlan]) -> dict[str, Any]:
    """Give the arguments that describe a signal's route to FastAPI.

    Args:
        plans: Those whose nodes wait for a signal of this name; each may have a type of its own for it.
    """
    codecs = [(plan, signal_codecs(plan)[name]) for plan in plans]
    return {
        "operation_id": f"signal_{name}",
        "summary": f"Give a run the signal {name}",
        "responses": {
            202: {"description": "The run has it."},
            **dict.fromkeys((400, 404, 409, 413, 422, 503), PROBLEM),
        },
        "openapi_extra": {
            "requestBody": {"required": True, "content": _content([_described(*one) for one in codecs])},
        },
    }


def components_of(plans: Iterable[ExecutionPlan]) -> dict[str, Any]:
    """Give the schemas that the routes of some plans refer to; each name starts with its pipe's."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM_SCHEMA, "Run": _RUN_SCHEMA}
    for plan in plans:
        codecs = [plan.codecs[name] for name in (plan.entry_type, *plan.terminal_types)]
        for codec in (*codecs, *signal_codecs(plan).values()):
            definitions = codec.json_schema().get("$defs", {})
            schemas |= {f"{plan.pipe}.{key}": _moved(plan, value) for key, value in definitions.items()}
    return schemas


def _content(schemas: list[Any]) -> dict[str, Any]:
    schema: Any = schemas[0] if len(schemas) == 1 else {"anyOf": schemas} if schemas else {}
    return {"application/json": {"schema": schema}}


def _messages(plan: ExecutionPlan, type_names: tuple[str, ...]) -> dict[str, Any]:
    return _content([_described(plan, plan.codecs[name]) for name in type_names])


def _described(plan: ExecutionPlan, codec: MessageCodec) -> Any:  # noqa: ANN401 - JSON
    return _moved(plan, {key: value for key, value in codec.json_schema().items() if key != "$defs"})


def _moved(plan: ExecutionPlan, schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Point references at the document's components instead of the schema's own definitions."""
    if isinstance(schema, dict):
        return {key: _moved(plan, value) for key, value in cast("dict[str, object]", schema).items()}
    if isinstance(schema, list):
        return [_moved(plan, value) for value in cast("list[object]", schema)]
    if isinstance(schema, str) and schema.startswith(_DEFINITIONS):
        return f"{_COMPONENTS}{plan.pipe}.{schema.removeprefix(_DEFINITIONS)}"
    return schema
