"""The wheel holds the library and every service, and each command leads somewhere."""

import tomllib
from importlib.util import find_spec

from tests.architecture.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.name.startswith("headrace_"))


def test_the_wheel_holds_the_library_and_every_service() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["libs/headrace", *(f"services/{name}" for name in SERVICES)]


def test_the_import_contracts_cover_every_package() -> None:
    assert sorted(PROJECT["tool"]["importlinter"]["root_packages"]) == ["headrace", *SERVICES]


def test_the_library_says_that_it_is_typed() -> None:
    assert (ROOT / "libs" / "headrace" / "py.typed").is_file()


def test_every_service_has_a_command() -> None:
    """But the supervisor, which `headrace up` runs."""
    scripts = PROJECT["project"]["scripts"].values()
    assert sorted([*(target.partition(".")[0] for target in scripts), "headrace_supervisor"]) == SERVICES
    modules = [target.partition(":")[0] for target in scripts]
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_package_of_ours_is_marked_as_one() -> None:
    folders = {path.parent for root in ("libs", "services") for path in (ROOT / root).rglob("*.py")}
    unmarked = [str(folder.relative_to(ROOT)) for folder in sorted(folders) if not (folder / "__init__.py").is_file()]
    assert unmarked == []
