"""Parameters that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

App = Annotated[str, typer.Argument(help="The pipe, as module:attribute.", show_default=False)]
PlacementFile = Annotated[
    Path | None, typer.Option("--placement", help="A TOML file that places nodes on groups, over the code's own.")
]
