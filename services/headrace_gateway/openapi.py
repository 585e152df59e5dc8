"""What OpenAPI says of pipes: requests from entry types and signals, responses from terminal types. Pure."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, cast

import msgspec
from fastapi import Path

from headrace.graph.plan import ExecutionPlan
from headrace.kernel.sent_signals import signal_codecs
from headrace.wire.codec import MessageCodec
from headrace_gateway.problem import Problem
from headrace_gateway.run_body import RunBody

_FOREIGN = "HTTPValidationError"
_DEFINITIONS = "#/$defs/"
_COMPONENTS = "#/components/schemas/"
TraceId = Annotated[str, Path(json_schema_extra={"pattern": "^[0-9a-f]{32}$"}, description="The run's.")]
PROBLEM: dict[str, Any] = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": f"{_COMPONENTS}Problem"}}},
}
RUN: dict[str, Any] = {
    "description": "Where the run stands.",
    "content": {"application/json": {"schema": {"$ref": f"{_COMPONENTS}Run"}}},
}
EVENTS: dict[str, Any] = {
    "description": "The run's events, as server-sent events; each has its number as its id.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event seen; the stream goes on behind it, on any replica.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}
_STATUSES = (400, 401, 403, 408, 409, 413, 422, 429, 500, 502, 503, 504)
_TEXT: dict[str, Any] = {"type": "string"}
_HEADERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Prefer",
        "`wait=SECONDS` bounds the wait, `respond-async` does not wait; both answer 202 with a Location.",
        _TEXT,
    ),
    (
        "Idempotency-Key",
        "The same key is the same run, whichever replica is asked and whatever was lost on the way.",
        {**_TEXT, "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
    ),
    (
        "X-Request-Timeout",
        "Seconds until the run's deadline.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 604800},
    ),
    ("traceparent", "W3C Trace Context.", _TEXT),
)
_SENT: dict[str, Any] = {
    "X-Trace-Id": {"description": "The run's.", "schema": _TEXT},
    "traceparent": {"description": "The caller's trace context, else the run's own.", "schema": _TEXT},
}
_LOCATION: dict[str, Any] = {"Location": {"description": "Where to ask for the run.", "schema": _TEXT}}
SCHEMES: dict[str, dict[str, Any]] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
"""How who asks is told, by the names that `Access` has for it."""


def operation_of(plan: ExecutionPlan) -> dict[str, Any]:
    """Give the arguments that describe a pipe's route to FastAPI."""
    responses: dict[int | str, dict[str, Any]] = dict.fromkeys(_STATUSES, PROBLEM)
    responses[200] = {
        "description": "The run's result.",
        "content": {**_messages(plan, plan.terminal_types), **EVENTS["content"]},
        "headers": _SENT,
    }
    responses[202] = {**RUN, "description": "The run goes on.", "headers": {**_SENT, **_LOCATION}}
    responses[204] = {"description": "The run completed without a result.", "headers": _SENT}
    return {
        "operation_id": f"run_{plan.pipe}",
        "summary": f"Run {plan.pipe}",
        "responses": responses,
        "openapi_extra": {
            "requestBody": {"required": True, "content": _messages(plan, (plan.entry_type,))},
            "parameters": [
                {"name": name, "in": "header", "description": text, "schema": schema} for name, text, schema in _HEADERS
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
            **dict.fromkeys((400, 401, 403, 404, 408, 409, 413, 422, 429, 503), PROBLEM),
        },
        "openapi_extra": {
            "requestBody": {"required": True, "content": _content([_described(*one) for one in codecs])},
        },
    }


def components_of(plans: Iterable[ExecutionPlan]) -> dict[str, Any]:
    """Give the schemas that the routes of some plans refer to; each name starts with its pipe's."""
    _, schemas = msgspec.json.schema_components((Problem, RunBody), ref_template=_COMPONENTS + "{name}")
    schemas["Run"] = schemas.pop("RunBody")
    for plan in plans:
        codecs = [plan.codecs[name] for name in (plan.entry_type, *plan.terminal_types)]
        for codec in (*codecs, *signal_codecs(plan).values()):
            definitions = codec.json_schema().get("$defs", {})
            schemas |= {f"{plan.pipe}.{key}": _moved(plan, value) for key, value in definitions.items()}
    return schemas


def secured(paths: dict[str, Any], schemes: Sequence[str]) -> None:
    """Say of a document's paths what credentials they want; and leave out FastAPI's own errors, which ours replace."""
    for path, operations in paths.items():
        for operation in operations.values():
            if schemes and path.startswith("/v1/"):
                operation["security"] = [{scheme: []} for scheme in schemes]
            if _FOREIGN in str(operation["responses"].get("422")):
                del operation["responses"]["422"]


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
