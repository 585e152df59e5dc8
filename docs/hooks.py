"""What the site does otherwise than a reader of the files: a link to a file outside of docs is only its name there."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 - MkDocs' own, which is not installed here
    """Put the name of a file in place of a link that leads out of the site."""
    return _OUTSIDE.sub(r"`\1`", markdown)
