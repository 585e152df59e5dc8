from collections.abc import Awaitable, Callable

import httpx
import pytest
from msgspec import Struct
from tests.headrace_gateway.serving import serving

from headrace.graph.options import Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace_gateway.limits import Limits

ASYNC = {"Prefer": "respond-async"}
UNKNOWN = "0" * 32


class Ask(Struct):
    text: str


class Told(Struct):
    text: str


class Name(Struct):
    text: str


class Approval(Struct):
    by: Name


class Amount(Struct):
    cents: int


loans, bills = Pipe("loans"), Pipe("bills")


@loans.node
async def decide(ask: Ask, approval: Signal[Approval]) -> Told | Suspend:
    return Suspend("approval") if approval is None else Told(f"{ask.text} by {approval.by.text}")


@bills.node
async def settle(ask: Ask, approval: Signal[Amount], paid: Signal[Amount]) -> Told | Suspend:
    if approval is None:
        return Suspend("approval")
    return Suspend("paid") if paid is None else Told(f"{approval.cents - paid.cents} left")


def signals(http: httpx.AsyncClient, run: str) -> Callable[..., Awaitable[httpx.Response]]:
    async def send(name: str, **body: object) -> httpx.Response:
        return await http.post(f"{run}/signals/{name}", json=body)

    return send


async def started(http: httpx.AsyncClient, pipe: str) -> str:
    response = await http.post(f"/v1/pipes/{pipe}", json={"text": "it"}, headers=ASYNC)
    return str(response.headers["location"])


async def ended(http: httpx.AsyncClient, run: str) -> object:
    return (await http.get(run, params={"wait": 20})).json()["result"]


async def test_a_signal_is_taken_and_the_run_goes_on() -> None:
    async with serving(pipes=(loans,), groups=("main",)) as http:
        run = await started(http, "loans")
        response = await signals(http, run)("approval", by={"text": "Ada"})
        assert (response.status_code, response.content) == (202, b"")
        assert response.headers["x-trace-id"] == run.rpartition("/")[2]
        assert await ended(http, run) == {"text": "it by Ada"}


async def test_two_pipes_may_have_signals_of_one_name_and_two_types() -> None:
    async with serving(pipes=(loans, bills), groups=("main",)) as http:
        run = await started(http, "bills")
        send = signals(http, run)
        assert (await send("approval", cents=7)).status_code == 202
        assert (await send("paid", cents=5)).status_code == 202
        assert await ended(http, run) == {"text": "2 left"}


async def test_the_second_signal_of_a_name_is_409_and_the_first_stays() -> None:
    async with serving(pipes=(loans,), groups=()) as http:
        send = signals(http, await started(http, "loans"))
        assert (await send("approval", by={"text": "Ada"})).status_code == 202
        again = await send("approval", by={"text": "Bob"})
    assert (again.status_code, again.json()["code"]) == (409, "already_signalled")
    assert again.json()["detail"] == "the run had signal 'approval' before; that one stays"


async def test_a_run_that_has_ended_takes_no_signal() -> None:
    async with serving(pipes=(loans,), groups=()) as http:
        run = await started(http, "loans")
        await http.delete(run)
        response = await signals(http, run)("approval", by={"text": "Ada"})
    assert (response.status_code, response.json()["code"]) == (409, "run_ended")


@pytest.mark.parametrize("trace_id", [UNKNOWN, "x"])
@pytest.mark.parametrize("name", ["approval", "aproval"])
async def test_an_unknown_run_takes_no_signal(trace_id: str, name: str) -> None:
    async with serving(pipes=(loans,), groups=()) as http:
        response = await signals(http, f"/v1/runs/{trace_id}")(name, by={"text": "Ada"})
    assert (response.status_code, response.json()["code"]) == (404, "unknown_run")


@pytest.mark.parametrize("name", ["aproval", "paid"])
async def test_a_signal_that_the_runs_pipe_has_not_is_404(name: str) -> None:
    async with serving(pipes=(loans, bills), groups=()) as http:
        response = await signals(http, await started(http, "loans"))(name, cents=1)
    assert (response.status_code, response.json()["code"]) == (404, "unknown_signal")
    assert response.json()["detail"] == f"pipe 'loans' has no signal '{name}'; it has: approval"


async def test_a_body_that_is_no_signal_is_refused_and_the_run_has_not_got_it() -> None:
    async with serving(pipes=(loans,), groups=(), limits=Limits(max_body_bytes=64)) as http:
        run = await started(http, "loans")
        path = f"{run}/signals/approval"
        malformed = await http.post(path, content=b"{")
        invalid = await http.post(path, json={"by": "secret"})
        large = await http.post(path, content=b" " * 65)
        taken = await http.post(path, json={"by": {"text": "Ada"}})
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_json")
    assert (invalid.status_code, invalid.json()["code"]) == (422, "invalid_message")
    assert "secret" not in invalid.text
    assert (large.status_code, taken.status_code) == (413, 202)


async def test_each_signal_is_described_with_its_types() -> None:
    async with serving(pipes=(loans, bills), groups=()) as http:
        document = (await http.get("/openapi.json")).json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    prefix = "/v1/runs/{trace_id}/signals/"
    approval, paid = (paths[f"{prefix}{name}"]["post"]["requestBody"]["content"] for name in ("approval", "paid"))
    assert approval["application/json"]["schema"] == {
        "anyOf": [{"$ref": "#/components/schemas/loans.Approval"}, {"$ref": "#/components/schemas/bills.Amount"}]
    }
    assert paid["application/json"]["schema"] == {"$ref": "#/components/schemas/bills.Amount"}
    assert {"loans.Approval", "loans.Name", "bills.Amount"} <= set(schemas)
    assert {"202", "404", "409", "422"} <= set(paths[f"{prefix}approval"]["post"]["responses"])
    assert {"204", "404", "409"} <= set(paths["/v1/runs/{trace_id}"]["delete"]["responses"])
