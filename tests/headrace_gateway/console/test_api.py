"""What the console's page asks, on the memory bus: who may, what it is told, and that it is told no message."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.headrace_gateway.console.shop import Order, pings, shop
from tests.headrace_gateway.console.stage import BROKEN
from tests.headrace_gateway.credentials import write_keys

from headrace.bus.memory.bus import MemoryBus
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing
from headrace_gateway.access import Access
from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.app import create_app
from headrace_gateway.console.bus_sight import BusSight
from headrace_gateway.console.tally import Tally

WORKING = ("intake", "pricing", "risk", "billing")
JSON = {"content-type": "application/json"}


@asynccontextmanager
async def console(*, access: Access | None = None) -> AsyncGenerator[tuple[httpx.AsyncClient, Client]]:
    """Serve the shop and the pings with a console; nobody works for shipping."""
    plan, bus, framing, tally = shop.compile(), MemoryBus(), Framing(), Tally()
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(consuming(plan, bus, framing, WORKING, observers=(tally,)))
        await parts.enter_async_context(coordinating(bus))
        client = await parts.enter_async_context(connected(plan, bus, framing))
        sight = BusSight(bus, "memory", tally)
        app = create_app([plan, pings.compile()], bus, framing, access=access, console=sight)
        await parts.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        yield await parts.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway")), client


async def asked(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await http.get(f"/console/api/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestWhoMay:
    async def test_everything_wants_credentials_but_the_files_of_the_page(self, tmp_path: Path) -> None:
        write_keys(tmp_path / "keys", root=["admin:*"])
        async with console(access=Access(ApiKeys(tmp_path / "keys"))) as (http, _):
            for path in ("pipes", "pulse?pipe=shop", "runs", f"runs/{'0' * 32}", "letters"):
                assert (await http.get(f"/console/api/{path}")).status_code == 401, path
            assert (await http.post("/console/api/redrive", json={"letter": "shop.billing/0/1-0"})).status_code == 401
            for path in ("/console", "/console/console.js", "/console/console.css", "/console/graph.js"):
                assert (await http.get(path)).status_code == 200, path

    async def test_who_may_only_read_is_refused(self, tmp_path: Path) -> None:
        keys = write_keys(tmp_path / "keys", reader=["read:*", "run:*"])
        async with console(access=Access(ApiKeys(tmp_path / "keys"))) as (http, _):
            refused = await http.get("/console/api/runs", headers={"x-api-key": keys["reader"]})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")

    async def test_an_admin_of_one_pipe_sees_that_pipe_alone(self, tmp_path: Path) -> None:
        keys = write_keys(tmp_path / "keys", other=["admin:pings"])
        async with console(access=Access(ApiKeys(tmp_path / "keys"))) as (http, client):
            trace_id, _ = await client.ask(Order(1, BROKEN))
            http.headers["x-api-key"] = keys["other"]
            assert [one["pipe"] for one in (await asked(http, "pipes"))["pipes"]] == ["pings"]
            assert (await asked(http, "runs"))["rows"] == (await asked(http, "letters"))["rows"] == []
            assert (await http.get("/console/api/pulse?pipe=shop")).status_code == 403
            assert (await http.get(f"/console/api/runs/{trace_id}")).status_code == 404


class TestWhatItTells:
    async def test_the_graph_has_every_node_and_every_way(self) -> None:
        async with console() as (http, _):
            drawing = (await asked(http, "pipes"))["pipes"][0]
        assert [node["name"] for node in drawing["nodes"]] == list(shop.compile().nodes)
        ways = {(line["source"], line["target"]): line["crosses"] for line in drawing["lines"]}
        assert ways[("", "receive")] is False
        assert (ways[("price", "total")], ways[("total", "check")]) == (False, True)
        assert ("ship", "") in ways
        assert ("refuse", "") in ways

    async def test_runs_are_found_by_the_start_of_their_id_by_state_and_by_kind_of_failure(self) -> None:
        async with console() as (http, client):
            failed, _ = await client.ask(Order(1, BROKEN))
            refused, _ = await client.ask(Order(1, "stolen"))
            by_id = await asked(http, "runs", q=failed[:12])
            assert [row["trace_id"] for row in by_id["rows"]] == [failed]
            by_kind = await asked(http, "runs", kind="step")
            assert [row["trace_id"] for row in by_kind["rows"]] == [failed]
            by_state = await asked(http, "runs", state="failed", limit=1)
            assert (len(by_state["rows"]), by_state["matched"]) == (1, 2)
            assert by_state["kinds"] == {"step": 1, "join_starved": 1}
            assert refused != failed

    async def test_a_run_is_told_with_its_events_and_nothing_of_its_messages(self) -> None:
        async with console() as (http, client):
            failed, _ = await client.ask(Order(1, BROKEN), options=Options(keeps_events=True))
            answer = await http.get(f"/console/api/runs/{failed}")
            story = answer.json()
            letters = await http.get("/console/api/letters")
        assert (story["state"], story["failure"]["node"]) == ("failed", "charge")
        assert [event["kind"] for event in story["events"]][-2:] == ["node_failed", "failed"]
        for text in (answer.text, letters.text):
            assert "broken" not in text
            assert "secret" not in text

    async def test_the_pulse_tells_where_work_waits_and_what_was_called_here(self) -> None:
        async with console() as (http, client):
            await client.submit(Order(2))

            async def has_come() -> bool:
                pulse = (await asked(http, "pulse", pipe="shop"))["pulse"]
                return bool(pulse["groups"]["shipping"]["backlog"] == 1)

            await wait_until(has_come, description="an order waits to be shipped")
            nodes = (await asked(http, "pulse", pipe="shop"))["pulse"]["nodes"]
            assert nodes["charge"]["failed"] == 0

    async def test_a_page_larger_than_the_largest_is_refused(self) -> None:
        async with console() as (http, _):
            assert (await http.get("/console/api/runs?limit=201")).status_code == 400
            assert (await http.get("/console/api/runs?offset=-1")).status_code == 400

    async def test_it_is_no_part_of_the_public_api(self) -> None:
        async with console() as (http, _):
            assert [path for path in (await http.get("/openapi.json")).json()["paths"] if "console" in path] == []

    async def test_the_policy_lets_nothing_run_but_what_comes_from_the_gateway(self) -> None:
        async with console() as (http, _):
            page = await http.get("/console")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
        assert " style=" not in page.text
        assert "<script>" not in page.text


class TestRedrive:
    async def test_a_letter_is_redriven_once(self) -> None:
        async with console() as (http, client):
            await client.ask(Order(1, BROKEN))
            (letter,) = (await asked(http, "letters"))["rows"]
            body = {"letter": letter["name"]}
            first = await http.post("/console/api/redrive", json=body)
            again = await http.post("/console/api/redrive", json=body)
            assert (first.status_code, again.status_code, again.json()["code"]) == (200, 409, "letter_gone")
            assert await client.view(first.json()["trace_id"]) is not None

    async def test_a_form_of_another_site_redrives_nothing(self) -> None:
        async with console() as (http, client):
            await client.ask(Order(1, BROKEN))
            (letter,) = (await asked(http, "letters"))["rows"]
            body = f'{{"letter": "{letter["name"]}"}}'
            answer = await http.post("/console/api/redrive", content=body, headers={"content-type": "text/plain"})
            assert answer.status_code == 415

    async def test_what_names_no_letter_is_refused(self) -> None:
        async with console() as (http, _):
            for body, status in (("{}", 400), ('{"letter": "x"}', 404), ('{"letter": "other.group/0/1-0"}', 404)):
                answer = await http.post("/console/api/redrive", content=body, headers=JSON)
                assert answer.status_code == status, body
