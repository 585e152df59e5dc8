"""What the site does otherwise than a reader of the files.

A link to a file outside of docs is only its name there, and long names in tables may break where a reader would.
"""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")
_CELL = re.compile(r"<td.*?</td>", re.DOTALL)
_CODE = re.compile(r"<code>.*?</code>", re.DOTALL)
_JOINT = re.compile(r"::|/|_(?=\w)")


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 - MkDocs' own, which is not installed here
    """Put the name of a file in place of a link that leads out of the site."""
    return _OUTSIDE.sub(r"`\1`", markdown)


def on_page_content(html: str, **_: Any) -> str:  # noqa: ANN401 - as above
    """Let the code in tables break behind its joints."""
    return _CELL.sub(lambda cell: _CODE.sub(_breakable, cell[0]), html)


def _breakable(code: re.Match[str]) -> str:
    name = code[0].removeprefix("<code>").removesuffix("</code>")
    return f"<code>{_JOINT.sub(lambda joint: f'{joint[0]}<wbr>', name)}</code>" if "<" not in name else code[0]
