"""What the images install is what is tested: the same versions, complete, and each held to a hash."""

import re
import tomllib
from pathlib import Path

import pytest
from deploy.audit import KNOWN, NOT_TOLD, verdict
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINNED = re.compile(
    r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\]+?))? \\$((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)+)", re.MULTILINE
)
SERVICES = ("gateway", "reply", "worker")
RENEW = "run: make locks"


def versions_tested() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def locked(service: str) -> dict[str, tuple[str, str]]:
    """Give a lock's libraries: the version of each, and where it is needed."""
    text = (ROOT / "deploy" / "locks" / f"{service}.txt").read_text()
    found: dict[str, tuple[str, str]] = {
        canonicalize_name(name): (version, marker) for name, version, marker, _ in PINNED.findall(text)
    }
    assert len(found) == text.count("=="), "every line is pinned and has hashes"
    return found


def asked(service: str) -> set[str]:
    """Give the libraries that the project itself asks for, for a service."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ahead, names = [*project["dependencies"], f"headrace[{service}]"], set[str]()
    while ahead:
        requirement = Requirement(ahead.pop())
        if requirement.name == "headrace":
            ahead += [each for extra in requirement.extras for each in project["optional-dependencies"][extra]]
        else:
            names.add(canonicalize_name(requirement.name))
    return names


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_installs_the_versions_that_are_tested(service: str) -> None:
    versions = versions_tested()
    other = {
        name: version
        for name, (version, marker) in locked(service).items()
        if versions.get(name) != version and not marker  # of another platform or Python: not here to be tested
    }
    assert other == {}, RENEW


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_installs_what_the_project_asks_for(service: str) -> None:
    assert asked(service) - locked(service).keys() == set(), RENEW


def test_only_the_gateway_has_a_web_stack() -> None:
    web = {"fastapi", "starlette", "uvicorn", "httptools"}
    assert {service: bool(web & locked(service).keys()) for service in SERVICES} == {
        "gateway": True,
        "reply": False,
        "worker": False,
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], (0, [])),
        ([{"name": "a", "version": "1", "vulns": [{"id": "X-1"}]}], (KNOWN, ["a 1: X-1"])),
        ([{"name": "a", "skip_reason": "not found"}], (NOT_TOLD, ["1 of 1 libraries are not audited"])),
        ([], (NOT_TOLD, [])),
    ],
)
def test_an_audit_that_could_not_ask_is_no_clean_one(
    found: list[dict[str, object]], expected: tuple[int, list[str]]
) -> None:
    assert verdict(found) == expected
