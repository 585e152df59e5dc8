from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.headrace_gateway.serving import PATH, serving

from headrace.bus.memory.bus import MemoryBus
from headrace.ledger.values import RunView, Submission, Submitted


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else ())
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


async def test_each_pipe_is_described_with_its_own_types() -> None:
    async with serving() as http:
        document = (await http.get("/openapi.json")).json()
    operation = document["paths"][PATH]["post"]
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]
    assert request == {"$ref": "#/components/schemas/numbers.Number"}
    assert schemas["numbers.Number"]["required"] == ["value"]
    assert answer == {"$ref": "#/components/schemas/numbers.Answer"}
    assert {"200", "202", "204", "400", "422", "503", "504"} <= set(operation["responses"])


async def test_every_reference_of_the_description_leads_somewhere() -> None:
    async with serving() as http:
        document = (await http.get("/openapi.json")).json()
    found = set(references(document))
    assert found
    assert found == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} & found


async def test_the_docs_page_is_there() -> None:
    async with serving() as http:
        response = await http.get("/docs")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_what_is_not_there_is_a_problem_too() -> None:
    async with serving() as http:
        missing, wrong = await http.get("/v2"), await http.get(PATH)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


async def test_health_is_well_while_the_bus_answers() -> None:
    async with serving() as http:
        assert [(await http.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


class Broken(MemoryBus):
    """A bus with a fault that nobody thought of."""

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        raise RuntimeError("the secret of the fault")

    async def view(self, trace_id: str) -> RunView | None:
        raise RuntimeError("the secret of the fault")


@pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", f"/v1/runs/{'0' * 32}")])
async def test_a_fault_of_the_gateway_is_a_problem_without_its_text_and_the_log_says_of_which_request(
    method: str, path: str
) -> None:
    with capture_logs() as logs:
        async with serving(Broken()) as http:
            answer = await http.request(method, path, json={"value": 1} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    [crashed] = [entry for entry in logs if entry["event"] == "request_crashed"]
    assert (crashed["method"], crashed["path"], crashed["error"]) == (method, path, "RuntimeError")
