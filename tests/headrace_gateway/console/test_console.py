"""The console in a real Chromium: a gateway process and workers on Redis, five thousand runs, keys and pointer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from tests.headrace_gateway.console.stage import WAITING, Stage, staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

RUNS = 5_000
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
VIEWS = {"graph": ".node", "runs": "tbody tr", "letters": "tbody tr", "admission": "tbody tr"}


@pytest.fixture(scope="module")
def stage(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(redis_url, f"test-{uuid4().hex[:12]}", tmp_path_factory.mktemp("console"), runs=RUNS) as it:
        yield it


@pytest.fixture(scope="module")
def browser(stage: Stage) -> Iterator[Browser]:
    chromium = which("chromium")
    assert chromium is not None, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, stage: Stage) -> Iterator[Page]:
    """A page that is signed in; at its end nothing may have been complained of."""
    with browser.new_context(reduced_motion="reduce") as context:
        context.add_init_script(f"sessionStorage.setItem('headrace-credentials', {json.dumps(stage.keys['root'])})")
        page = context.new_page()
        complaints: list[str] = []

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert complaints == []


def go(page: Page, stage: Stage, view: str) -> None:
    page.goto(f"{stage.url}/console#/{view}")
    expect(page.locator("#live")).to_have_text("live")
    page.wait_for_selector(VIEWS[view])


def test_the_graph_shows_the_backlog_as_it_grows(page: Page, stage: Stage) -> None:
    go(page, stage, "graph")
    ship = page.locator("[data-node=ship] .backlog")
    expect(ship).to_have_text(re.compile(r"\d+ waiting"))
    before = int((ship.text_content() or "").split()[0])
    assert before >= WAITING
    headers = {"x-api-key": stage.keys["root"], "prefer": "respond-async"}
    assert httpx.post(f"{stage.url}/v1/pipes/shop", json={"lines": 2}, headers=headers).status_code == 202
    expect(ship).to_have_text(f"{before + 1} waiting", timeout=20_000)


def test_arrow_keys_walk_the_graph(page: Page, stage: Stage) -> None:
    go(page, stage, "graph")
    page.locator("[data-node=price]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-node=total]")).to_be_focused()
    expect(page.locator(".about")).to_contain_text("takes Priced")
    page.keyboard.press("Escape")
    expect(page.locator(".about")).to_contain_text("Choose a node")


def test_a_run_is_found_and_its_timeline_opened_by_keys_alone(page: Page, stage: Stage) -> None:
    go(page, stage, "runs")
    page.keyboard.press("/")
    page.keyboard.type(stage.broken[:16])
    expect(page.locator("tbody tr")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("step in charge")
    expect(page.locator(".timeline li").last).to_contain_text(
        re.compile(r"charge \(2\)billing-[0-9a-f]+ · queued .+ ms")
    )
    assert page.locator(".timeline .queued").count() > 0
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("tbody tr")).to_be_focused()


def test_runs_are_chosen_by_state_and_by_kind_of_failure(page: Page, stage: Stage) -> None:
    go(page, stage, "runs")
    page.get_by_role("button", name="Failed").click()
    expect(page.locator(".foot span")).to_have_text(re.compile(r"of [34]\.$"))  # four, where one was redriven before
    page.get_by_label("Kind of failure").select_option("join_starved")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("join starved in ship")


def test_thousands_of_runs_are_paged(page: Page, stage: Stage) -> None:
    go(page, stage, "runs")
    page.get_by_label("Pipe", exact=True).select_option("pings")
    expect(page.locator(".foot span")).to_have_text(re.compile(r"^1\D50 of 5,000"))
    page.get_by_role("button", name="Older").click()
    expect(page.locator(".foot span")).to_have_text(re.compile(r"^51\D100 of 5,000"))
    expect(page.locator("tbody tr")).to_have_count(50)


def test_a_dead_letter_is_redriven_after_it_was_confirmed(page: Page, stage: Stage) -> None:
    go(page, stage, "letters")
    letter = page.locator("tbody tr").first
    name = letter.get_attribute("data-key")
    letter.get_by_role("button", name="Redrive").click()
    page.get_by_role("button", name="Leave it").click()
    expect(letter).to_have_attribute("data-key", str(name))
    letter.get_by_role("button", name="Redrive").click()
    page.locator("dialog").get_by_role("button", name="Redrive").click()
    expect(page.locator("#toast")).to_contain_text("Started again as run")
    expect(page.locator(f'tr[data-key="{name}"]')).to_have_count(0)


def test_who_is_no_admin_sees_nothing_and_is_told_so(browser: Browser, stage: Stage) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{stage.url}/console")
        page.get_by_label("API key or token").fill(stage.keys["reader"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").last).to_contain_text("this needs the scope 'admin:*'")
        assert page.locator(".node").count() == 0
        page.get_by_label("API key or token").fill(stage.keys["shopkeeper"])
        page.keyboard.press("Enter")
        expect(page.locator("[data-node=ship]")).to_be_visible()
        assert page.locator("#pipe option").all_text_contents() == ["shop"]


def test_nothing_is_wider_than_a_small_screen(page: Page, stage: Stage) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    for view in VIEWS:
        go(page, stage, view)
        assert page.evaluate("document.documentElement.scrollWidth") == 400, view


def test_the_theme_is_that_of_the_system_until_it_is_chosen(page: Page, stage: Stage) -> None:
    page.emulate_media(color_scheme="dark")
    go(page, stage, "graph")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme: auto").click()
    assert page.evaluate(ground) != dark
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()


def test_text_cannot_become_markup(browser: Browser, stage: Stage) -> None:
    tried = "() => { try { document.body.innerHTML = '<b>x</b>'; return 'taken' } catch (error) { return error.name } }"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{stage.url}/console")
        assert page.evaluate(tried) == "TypeError"


def test_the_files_are_beside_the_code_that_serves_them() -> None:
    found = {path.name for path in (Path(__file__).parents[3] / "services/headrace_gateway/console/static").iterdir()}
    assert found == {"console.html", "console.css", "console.js", "graph.js", "icon.svg"}
