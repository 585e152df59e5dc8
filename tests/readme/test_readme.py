"""The README: short, true, and every block of it runs as it stands there."""

from pathlib import Path

import pytest
from tests.readme.blocks import ROOT, Block, Command, blocks_of, code_lines, commands_of, is_a_test
from tests.readme.session import Session

README = ROOT / "README.md"
CI = ".ci/run"
HELLO = "app.py"
LIMIT_LINES = 200
LIMIT_HELLO = 8
LIMIT_OVER_HTTP = 10


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return blocks_of(README)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_reader_who_does_what_the_readme_says_sees_what_it_shows(
    blocks: list[Block], tmp_path: Path, redis_url: str
) -> None:
    reader = Session(tmp_path, redis_url=redis_url)
    own = [block for block in blocks if not block.run_by]
    for block in own:
        reader.run(block)
    assert len(own) >= 8, "the README has lost its blocks"


def test_what_the_readme_leaves_to_others_is_run_by_them(blocks: list[Block]) -> None:
    ci = {line.strip() for line in (ROOT / CI).read_text(encoding="utf-8").splitlines()}
    for block in blocks:
        if block.run_by == CI:
            assert {command.text for command in commands_of(block)} <= ci, str(block)
        elif block.run_by:
            assert is_a_test(block.run_by), f"{block}: there is no {block.run_by}"


def test_the_two_commands_of_the_readme_are_those_of_ci(blocks: list[Block]) -> None:
    shown = [command.text for block in blocks if block.run_by == CI for command in commands_of(block)]
    assert shown == ["make demo", "make test"]


def test_hello_world_is_8_lines_of_code_and_one_command(blocks: list[Block]) -> None:
    hello = next(block for block in blocks if block.title == HELLO)
    lines = code_lines(hello)
    assert len(lines) <= LIMIT_HELLO, lines
    runs = [command.text for command in _commands_after(blocks, hello) if command.text.startswith("headrace run app:")]
    assert len(runs) == 1


def test_request_and_reply_over_http_is_10_lines(blocks: list[Block]) -> None:
    hello = next(block for block in blocks if block.title == HELLO)
    commands = [command.text for command in _commands_after(blocks, hello)]
    serve = next(text for text in commands if text.startswith("headrace dev "))
    ask = next(text for text in commands if text.startswith("curl "))
    assert len([*code_lines(hello), *serve.splitlines(), *ask.splitlines()]) <= LIMIT_OVER_HTTP


def test_the_node_of_hello_world_is_the_one_of_the_example(blocks: list[Block]) -> None:
    hello = next(block for block in blocks if block.title == HELLO)
    lines = code_lines(hello)
    example = (ROOT / "examples" / "greetings" / "hello.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines[lines.index("@pipe.node") :] if line not in example] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LIMIT_LINES


def _commands_after(blocks: list[Block], start: Block) -> list[Command]:
    """The commands of the start's section, from it on."""
    return [
        command
        for block in blocks
        if block.section == start.section and block.line > start.line and block.language == "console"
        for command in commands_of(block)
    ]
