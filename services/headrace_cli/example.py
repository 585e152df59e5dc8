"""An example of a pipe's entry message, made from its schema, for a first request. Pure."""

import json
import shlex
from typing import Any, cast

from headrace.graph.plan import ExecutionPlan

_DEPTH = 4  # a schema may refer to itself
_BY_TYPE: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None}


def example_of(plan: ExecutionPlan) -> Any:  # noqa: ANN401 - JSON
    """Give a message with its required fields filled; it may break a constraint that its type adds."""
    schema = plan.codecs[plan.entry_type].json_schema()
    return _example(schema, schema.get("$defs", {}), _DEPTH)


def invitation(plan: ExecutionPlan, url: str) -> str:
    """Say where a pipe is served, and what to type for a first answer."""
    body = shlex.quote(json.dumps(example_of(plan)))
    return (
        f"serving pipe '{plan.pipe}' at {url}, its API is described at {url}/docs; try\n"
        f"  curl -d {body} {url}/v1/pipes/{plan.pipe}\n"
    )


def _example(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> Any:  # noqa: ANN401 - JSON
    if depth == 0:
        return None
    if "$ref" in schema:
        return _example(definitions.get(schema["$ref"].rpartition("/")[2], {}), definitions, depth)
    for key in ("examples", "enum", "anyOf", "oneOf"):
        if schema.get(key):
            first = schema[key][0]
            return _example(first, definitions, depth) if key.endswith("Of") else first
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if schema.get("type") == "object":
        fields = cast("dict[str, dict[str, Any]]", schema.get("properties", {}))
        wanted = schema.get("required", ())
        return {name: _example(field, definitions, depth - 1) for name, field in fields.items() if name in wanted}
    return [] if schema.get("type") == "array" else _BY_TYPE.get(schema.get("type", ""), {})
