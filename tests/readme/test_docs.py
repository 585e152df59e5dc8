"""The pages under docs: their snippets run, their generated parts are what the code says, what they name is there."""

import re
from pathlib import Path

import pytest
from docs.generate import PARTS, rendered, used_parts
from tests.readme.blocks import ROOT, Block, blocks_of, commands_of, is_a_test
from tests.readme.session import Session

PAGES = sorted((ROOT / "docs").glob("*.md"))
NAVIGATION = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
TEXTS = {page: page.read_text(encoding="utf-8") for page in (*PAGES, ROOT / "README.md")}
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py::[\w:]+|libs/[\w/]+\.py::[\w:]+)`")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
IN_STEPS = ("tutorial.md",)  # a section finds the files that the reader has saved in those before it
DEPLOYED = "tests/readme/test_deploy.py::test_the_deploy_path_of_the_readme_works"
INVARIANTS = [f"I{number}" for number in range(1, 9)]


def sections() -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for page in PAGES:
        for block in blocks_of(page):
            found.setdefault(f"{page.name}, {block.section}", []).append(block)
    return {name: blocks for name, blocks in found.items() if any(not block.run_by for block in blocks)}


def saved_before(first: Block) -> list[Block]:
    if Path(first.page).name not in IN_STEPS:
        return []
    return [block for block in blocks_of(ROOT / first.page) if block.title and block.line < first.line]


SECTIONS = sections()


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_does_what_it_shows(name: str, tmp_path: Path, redis_url: str) -> None:
    reader = Session(tmp_path, redis_url=redis_url)
    for block in saved_before(SECTIONS[name][0]):
        reader.run(block)
    for block in SECTIONS[name]:
        if not block.run_by:
            reader.run(block)


def test_the_tutorial_deploys_by_commands_that_the_readme_has_too() -> None:
    of_readme, of_tutorial = (
        [command.text for block in blocks_of(ROOT / page) if block.run_by == DEPLOYED for command in commands_of(block)]
        for page in ("README.md", "docs/tutorial.md")
    )
    assert of_tutorial
    assert [command for command in of_tutorial if command not in of_readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_in_the_navigation_of_the_site(page: Path) -> None:
    assert re.search(rf"^ +- (\S.*: )?{re.escape(page.name)}$", NAVIGATION, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_generated_parts_are_what_the_code_says(page: Path) -> None:
    assert rendered()[page] == TEXTS[page], "run: python docs/generate.py"


def test_every_part_that_can_be_generated_is_on_a_page() -> None:
    assert used_parts() == set(PARTS)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in LINK.findall(TEXTS[page]) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = NAMED_TEST.findall(TEXTS[page])
    named += [block.run_by for block in blocks_of(page) if "::" in block.run_by]
    assert [name for name in named if not is_a_test(name)] == []


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_has_a_row_and_a_test_that_holds_it(invariant: str) -> None:
    rows = [line for line in TEXTS[ROOT / "docs" / "guarantees.md"].splitlines() if line.startswith(f"| {invariant} |")]
    assert len(rows) == 1
    assert NAMED_TEST.search(rows[0])
