"""The bootstrap bundle: whole, over everything else, read once, and silent about what it holds."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from headrace.errors import SettingsError
from headrace.settings.bootstrap import pack
from headrace.settings.services import GatewaySettings, WorkerSettings
from headrace.settings.sources import read_settings

WORKER = {"app": "app:pipe", "group": "one", "bus_url": "redis://:password@host", "signing_keys": "k1:secret"}


def piped(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def test_a_bundle_carries_every_setting_secrets_too() -> None:
    settings = read_settings(WorkerSettings, {**WORKER, "placement": "place.toml", "slots": 7})
    taken = read_settings(WorkerSettings, {"bootstrap_fd": piped(pack(settings))})
    assert taken.model_dump(exclude={"bootstrap_fd"}) == settings.model_dump(exclude={"bootstrap_fd"})
    assert taken.signing_keys == SecretStr("k1:secret")


def test_a_gateways_bundle_carries_its_lists() -> None:
    settings = read_settings(GatewaySettings, {"app": ("a:pipe", "b:pipe"), "placement": (Path("a.toml"),)})
    taken = read_settings(GatewaySettings, {"bootstrap_fd": piped(pack(settings))})
    assert (taken.app, taken.placement) == (("a:pipe", "b:pipe"), (Path("a.toml"),))


def test_a_bundle_is_over_flags_environment_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("lease_s = 3\n")
    monkeypatch.setenv("HEADRACE_CONFIG", str(file))
    monkeypatch.setenv("HEADRACE_SLOTS", "2")
    monkeypatch.setenv("HEADRACE_BOOTSTRAP_FD", str(piped(b'{"app":"a:p","group":"g","slots":9,"lease_s":4}')))
    settings = read_settings(WorkerSettings, {"group": "flag"})
    assert (settings.slots, settings.lease_s, settings.group) == (9, 4, "g")


def test_a_bundle_is_read_once() -> None:
    fd = piped(pack(read_settings(WorkerSettings, WORKER)))
    read_settings(WorkerSettings, {"bootstrap_fd": fd})
    with pytest.raises(SettingsError, match="is no pipe that can be read; it is read once"):
        read_settings(WorkerSettings, {"bootstrap_fd": fd})


@pytest.mark.parametrize("content", [b"", b'{"app":', b"[1]", b"\xff", b'"secret"'])
def test_what_is_no_bundle_is_refused_and_not_told(content: bytes) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(WorkerSettings, {"bootstrap_fd": piped(content)})
    assert str(refused.value) == "setting 'bootstrap_fd' gave no bundle; its writer may have died"


def test_a_bundle_of_a_setting_that_is_not_known_is_refused_without_its_value() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(WorkerSettings, {"bootstrap_fd": piped(b'{"app":"a:p","group":"g","sloths":"secret"}')})
    assert str(refused.value) == "setting 'sloths' is not known"
