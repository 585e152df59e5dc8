"""The fenced blocks of a Markdown page, as the tests run them.

A block's info string is its language and, where the reader is to save it as a file, `title="NAME"`. An HTML comment
right before a block, `<!-- run by X -->`, says what runs it where the page's own test cannot.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<language>\w+)?(?: title=\"(?P<title>[^\"]+)\")?$")
_RUN_BY = re.compile(r"^<!-- run by (?P<who>\S+) -->$")
_COMMAND = "$ "
_CONTINUED = "> "


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        section: The nearest heading of the second level above it.
        title: The file that it is to be saved as, empty for none.
        run_by: What runs it, empty where the page's own test does.
        line: Where it starts in its page; 1-based.
    """

    page: str
    section: str
    language: str
    title: str
    run_by: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a console block, and what the page says it prints."""

    text: str
    output: str


def blocks_of(page: Path) -> list[Block]:
    """Read the blocks of a page; a fence that is not of the form above, or not closed, fails."""
    blocks: list[Block] = []
    section, run_by, fence, start = "", "", None, 0
    body: list[str] = []
    name = page.relative_to(ROOT).as_posix()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if fence is not None and line != "```":
            body.append(line)
        elif fence is not None:
            blocks.append(
                Block(
                    page=name,
                    section=section,
                    language=fence["language"] or "",
                    title=fence["title"] or "",
                    run_by=run_by,
                    line=start,
                    text="\n".join((*body, "")),
                )
            )
            fence, run_by, body = None, "", []
        elif line.startswith("```"):
            fence, start = _FENCE.match(line), number
            assert fence, f"{name}:{number}: {line} is no fence that the tests can read"
        elif line.startswith("## "):
            section = line.removeprefix("## ")
        elif line:
            run_by = found["who"] if (found := _RUN_BY.match(line)) else ""
    assert fence is None, f"{name}:{start}: the block is not closed"
    return blocks


def commands_of(block: Block) -> list[Command]:
    """Read a console block: `$ ` starts a command, `> ` continues it, the rest is what it prints."""
    commands: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith(_COMMAND):
            commands.append(([line.removeprefix(_COMMAND)], []))
        elif line.startswith(_CONTINUED) and not commands[-1][1]:
            commands[-1][0].append(line.removeprefix(_CONTINUED))
        else:
            assert commands, f"{block}: output before the first command"
            commands[-1][1].append(line)
    return [Command(text="\n".join(text), output="\n".join(output)) for text, output in commands]


def code_lines(block: Block) -> list[str]:
    """The lines of code of a block: neither empty nor a comment."""
    return [line for line in block.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def is_a_test(name: str) -> bool:
    """Tell whether `path::test` names a test of this checkout; in `path::Class::test` the class must be there too."""
    path, *names = name.split("::")
    file = ROOT / path
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return bool(names) and all(re.search(rf"^\s*(async def|def|class) {each}\b", text, re.MULTILINE) for each in names)
