"""The scripts of the Redis bus: one verb a file, whose header says what goes in and what comes out."""

import re
from itertools import takewhile

import pytest
from tests.architecture.project import text_files

LIMIT_LINES = 80
FOLDER = "libs/headrace/bus/redis/lua/"
SCRIPTS = {name.removeprefix(FOLDER): text for name, text in text_files() if name.endswith(".lua")}
VERBS = sorted(name for name in SCRIPTS if "/" not in name)
SHARING: tuple[list[str], ...] = (["arg", "passage", "leap"], [])  # the place in ARGV, and `env` itself
PARTS = sorted(name for name in SCRIPTS if name.startswith("includes/"))


def test_every_script_lies_beside_the_bus_that_runs_it() -> None:
    assert VERBS
    assert sorted(SCRIPTS) == sorted((*VERBS, *PARTS))


@pytest.mark.parametrize("name", VERBS)
def test_a_script_says_what_it_does_and_names_its_keys_arguments_and_answer(name: str) -> None:
    header = "".join(takewhile(lambda line: line.startswith("--"), SCRIPTS[name].splitlines(keepends=True)))
    assert header.startswith(f"-- {name.removesuffix('.lua')}: ")
    assert re.findall(r"^-- (KEYS|ARGV|GIVES)   ?\S", header, re.MULTILINE) == ["KEYS", "ARGV", "GIVES"]


@pytest.mark.parametrize("name", PARTS)
def test_an_include_says_what_it_holds_which_is_one_function_or_what_shares_a_variable(name: str) -> None:
    own = name.removeprefix("includes/").removesuffix(".lua")
    assert re.match(rf"-- {own}[(:]", SCRIPTS[name])
    functions = re.findall(r"^local function (\w+)", SCRIPTS[name], re.MULTILINE)
    assert functions in SHARING if re.search(r"^local \w+ =", SCRIPTS[name], re.MULTILINE) else functions == [own]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_is_short(name: str) -> None:
    assert len(SCRIPTS[name].splitlines()) <= LIMIT_LINES


def test_every_include_is_used_and_every_used_one_is_there() -> None:
    used = {
        included for text in SCRIPTS.values() for included in re.findall(r"^-- @include (\w+)$", text, re.MULTILINE)
    }
    assert {f"includes/{name}.lua" for name in used} == set(PARTS)
