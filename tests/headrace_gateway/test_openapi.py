"""The description of the API holds against the running service, and is enough to write a client from."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from tests.headrace_gateway.credentials import write_keys
from tests.headrace_gateway.described import pipe
from tests.headrace_gateway.live import live

from headrace_gateway.access import Access
from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.limits import Limits

EXAMPLES = 15
KEY = "Idempotency-Key"
FAR_FROM_BOUNDS = Limits(wait_s=0.05, max_wait_s=0.05)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live(pipe, limits=FAR_FROM_BOUNDS) as url:
        yield url


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # within the library
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_the_service_does_what_its_description_says_to_what_fits_it_and_to_what_does_not(
    url: str, mode: schemathesis.GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    tried, numbers = [], count()
    with requests.Session() as session:
        found: Any
        for found in schema.get_all_operations():
            operation = found.ok()

            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(mode))
            def holds(case: Any) -> None:
                case.body = whole(case.body)
                if KEY in case.headers and mode is schemathesis.GenerationMode.POSITIVE:
                    case.headers[KEY] = f"{next(numbers)}-{case.headers[KEY][:200]}"  # else one comes with two bodies
                response = case.call(session=session, timeout=10)
                case.validate_response(response, excluded_checks=[not_a_server_error])
                assert response.status_code < 500 or response.status_code == 504, "no more than a wait runs out"

            try:
                holds()
                tried.append(operation.label)
            except Unsatisfiable:
                assert not list(operation.iter_parameters()), "what takes nothing cannot be asked wrongly"
    assert {"POST /v1/pipes/described", "GET /v1/runs/{trace_id}", "DELETE /v1/runs/{trace_id}"} <= set(tried)
    assert "POST /v1/runs/{trace_id}/signals/approval" in tried


def whole(body: Any) -> Any:
    """Write 2.0 as 2: JSON Schema has them alike, and this service, as most clients, does not write a fraction."""
    match body:
        case dict():
            return {name: whole(value) for name, value in body.items()}
        case list():
            return [whole(value) for value in body]
        case float() if body.is_integer():
            return int(body)
        case _:
            return body


class Client:
    """A client that knows nothing but a description."""

    def __init__(self, http: httpx.Client, credential: str = "") -> None:
        self._http = http
        self.document: dict[str, Any] = http.get("/openapi.json").raise_for_status().json()
        self._credential = credential

    def call(self, operation_id: str, body: Any = None, **parameters: str) -> tuple[Any, dict[str, str]]:
        """Call an operation; gives the body, checked for its place in the description, and the headers."""
        method, path, operation = next(
            (method, path, operation)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
            if operation["operationId"] == operation_id
        )
        places: dict[str, dict[str, str]] = {"header": self._credentials(operation), "query": {}, "path": {}}
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in parameters:
                places[parameter["in"]][parameter["name"]] = parameters.pop(parameter["name"])
        assert not parameters
        path = path.format(**places["path"])
        response = self._http.request(method, path, json=body, headers=places["header"], params=places["query"])
        described = operation["responses"][str(response.status_code)]
        assert set(described.get("headers", {})) <= {name.title() for name in response.headers} | {"traceparent"}
        content = described.get("content", {})
        if not content:
            return None, dict(response.headers)
        assert response.headers["content-type"] in content
        return response.json(), dict(response.headers)

    def _credentials(self, operation: dict[str, Any]) -> dict[str, str]:
        schemes = self.document["components"].get("securitySchemes", {})
        wanted = [schemes[name] for choice in operation.get("security", ()) for name in choice]
        return {scheme["name"]: self._credential for scheme in wanted if scheme["type"] == "apiKey"}


def test_a_client_written_from_the_description_alone_does_all_there_is(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", ada=["admin:described"], bob=[])
    gift = {"lines": [{"name": "bread", "count": 2}], "kind": "gift"}
    with (
        live(pipe, access=Access(ApiKeys(tmp_path / "keys"))) as url,
        httpx.Client(base_url=url) as http,
    ):
        ada, bob = Client(http, keys["ada"]), Client(http, keys["bob"])
        assert ada.call("run_described", {**gift, "kind": "plain"})[0] == {"total": 2}
        assert ada.call("run_described", {"lines": []})[0] == {"why": "nothing is ordered"}
        accepted, headers = ada.call("run_described", gift, **{"Prefer": "respond-async", KEY: "1"})
        again, _ = ada.call("run_described", gift, **{"Prefer": "respond-async", KEY: "1"})
        run = accepted["trace_id"]
        assert (again["trace_id"], headers["x-trace-id"]) == (run, run)
        assert ada.call("signal_approval", {"by": "Ada"}, trace_id=run)[0] is None
        assert ada.call("get_run", trace_id=run, wait="10")[0]["result"] == {"total": 2}
        assert ada.call("cancel_run", trace_id=run)[0]["code"] == "run_ended"
        assert ada.call("run_described", {"lines": 1})[0]["code"] == "invalid_message"
        assert bob.call("run_described", gift)[0]["code"] == "forbidden"
        assert Client(http).call("run_described", gift)[0]["code"] == "unauthorized"
