"""Loading an app: what leads to a pipe, and what is said of what does not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.errors import AppError, CompileError, SettingsError
from headrace.runtime.load import load_pipe, load_plan, read_placement

APP = """
from msgspec import Struct
from headrace.graph.pipe import Pipe

class Ask(Struct): number: int = 0
class Answer(Struct): number: int = 0

pipe = Pipe("loaded")
number = 7

@pipe.node
async def answer(ask: Ask) -> Answer:
    return Answer(ask.number)

empty = Pipe("empty")
"""


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a directory with an app, from which tests are run."""
    (tmp_path / "loaded_app.py").write_text(APP)
    (tmp_path / "loaded_broken.py").write_text("import no_such_library\n")
    (tmp_path / "loaded_raising.py").write_text("raise RuntimeError('its own')\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in ("loaded_app", "loaded_broken", "loaded_raising"):
        sys.modules.pop(name, None)


def test_a_reference_leads_to_a_pipe_in_the_working_directory() -> None:
    assert load_pipe("loaded_app:pipe").name == "loaded"
    assert load_plan("loaded_app:pipe").groups == {"main": ("answer",)}


def test_loading_twice_gives_the_same_pipe() -> None:
    assert load_pipe("loaded_app:pipe") is load_pipe("loaded_app:pipe")


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("loaded_app", "it is not of the form module:attribute"),
        ("loaded_app:", "it is not of the form module:attribute"),
        (":pipe", "it is not of the form module:attribute"),
        ("", "it is not of the form module:attribute"),
        ("loaded_app:nothing", "'nothing' in 'loaded_app' is no Pipe"),
        ("loaded_app:number", "'number' in 'loaded_app' is no Pipe"),
    ],
)
def test_a_reference_that_leads_to_no_pipe_says_why_and_how_to_write_it(reference: str, why: str) -> None:
    with pytest.raises(AppError) as caught:
        load_pipe(reference)
    assert str(caught.value) == (f"cannot load '{reference}': {why}; give it as module:attribute, for example app:pipe")


@pytest.mark.parametrize("module", ["no_such_app", "no_such_app.inner"])
def test_a_module_that_is_not_there_is_named_with_where_it_was_looked_for(app: Path, module: str) -> None:
    with pytest.raises(AppError, match=f"there is no module 'no_such_app' in {app} or on the import path"):
        load_pipe(f"{module}:pipe")


def test_what_the_module_itself_raises_comes_out_as_it_is() -> None:
    with pytest.raises(RuntimeError, match=r"^its own$"):
        load_pipe("loaded_raising:pipe")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        load_pipe("loaded_broken:pipe")


def test_a_pipe_with_mistakes_is_loaded_and_not_compiled() -> None:
    assert load_pipe("loaded_app:empty").name == "empty"
    with pytest.raises(CompileError):
        load_plan("loaded_app:empty")


def test_a_placement_file_wins_over_the_code(app: Path) -> None:
    (app / "placement.toml").write_text('[groups]\nfar = ["answer"]\n')
    assert load_plan("loaded_app:pipe", app / "placement.toml").groups == {"far": ("answer",)}


def test_without_a_placement_file_the_codes_own_holds() -> None:
    assert read_placement(None) is None


def test_a_placement_that_cannot_be_read_or_is_malformed_says_so(app: Path) -> None:
    with pytest.raises(AppError, match="the placement cannot be read: No such file or directory"):
        load_plan("loaded_app:pipe", app / "nowhere.toml")
    (app / "placement.toml").write_text("[groups")
    with pytest.raises(SettingsError, match="setting 'placement' is no TOML"):
        load_plan("loaded_app:pipe", app / "placement.toml")
