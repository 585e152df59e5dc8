"""The pages under docs: their snippets run, their generated parts are what the code says, what they name is there."""

import re
from pathlib import Path

import pytest
from docs.generate import PARTS, rendered, used_parts
from tests.readme.blocks import ROOT, Block, blocks_of, is_a_test
from tests.readme.session import Session

PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {page: page.read_text(encoding="utf-8") for page in (*PAGES, ROOT / "README.md")}
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py::[\w:]+|libs/[\w/]+\.py::[\w:]+)`")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
INVARIANTS = [f"I{number}" for number in range(1, 9)]


def sections() -> dict[str, list[Block]]:
    found: dict[str, list[Block]] = {}
    for page in PAGES:
        for block in blocks_of(page):
            found.setdefault(f"{page.name}, {block.section}", []).append(block)
    return {name: blocks for name, blocks in found.items() if any(not block.run_by for block in blocks)}


SECTIONS = sections()


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_does_what_it_shows(name: str, tmp_path: Path, redis_url: str) -> None:
    reader = Session(tmp_path, redis_url=redis_url)
    for block in SECTIONS[name]:
        if not block.run_by:
            reader.run(block)


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
