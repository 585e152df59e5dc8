from pathlib import Path

import pytest

from headrace.errors import SettingsError
from headrace.settings.flags import parse_settings
from headrace.settings.services import GatewaySettings, ReplySettings, WorkerSettings
from headrace.settings.sources import read_settings

NEEDED = {"app": "app:pipe", "group": "one"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "headrace.toml"
    monkeypatch.setenv("HEADRACE_CONFIG", str(path))
    return path


def test_flags_win_over_environment_over_file_over_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('namespace = "file"\nslots = 2\nlease_s = 2\n')
    monkeypatch.setenv("HEADRACE_SLOTS", "3")
    monkeypatch.setenv("HEADRACE_LEASE_S", "3")
    settings = parse_settings(WorkerSettings, ["app:pipe", "--group", "one", "--lease-s", "4"], program="worker")
    assert (settings.namespace, settings.slots, settings.lease_s, settings.max_deliveries) == ("file", 3, 4.0, 5)


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SIGNING_KEYS", "")
    assert read_settings(ReplySettings).signing_keys is None


def test_one_file_serves_several_services(file: Path) -> None:
    file.write_text('app = "app:pipe"\ngroup = "one"\nport = 9000\n')
    assert read_settings(WorkerSettings).group == "one"
    assert read_settings(GatewaySettings).port == 9000


def test_a_flag_names_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('namespace = "other"\n')
    assert parse_settings(ReplySettings, ["--config", str(path)], program="reply").namespace == "other"


def test_a_setting_of_the_file_that_nobody_knows_is_refused_with_the_nearest(file: Path) -> None:
    file.write_text('namespac = "x"\n')
    with pytest.raises(SettingsError, match=r"setting 'namespac' in '.*' is not known; did you mean 'namespace'\?"):
        read_settings(ReplySettings)


def test_a_file_that_is_not_there_is_said_so(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"setting 'config' names '.*', which cannot be read: No such file"):
        read_settings(ReplySettings)


def test_a_malformed_file_is_not_quoted(file: Path) -> None:
    file.write_text("signing_keys = secret\n")
    with pytest.raises(SettingsError, match="which is no TOML") as refused:
        read_settings(ReplySettings)
    assert "secret" not in str(refused.value)


def test_every_missing_setting_is_named_with_the_ways_to_give_it() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(WorkerSettings)
    assert str(refused.value) == (
        "setting 'app' is missing; give --app, HEADRACE_APP, or 'app' in the file; "
        "setting 'group' is missing; give --group, HEADRACE_GROUP, or 'group' in the file"
    )


def test_a_malformed_setting_is_named_without_its_value() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(WorkerSettings, {**NEEDED, "namespace": "{secret}", "slots": "secret", "lease_s": 0})
    assert "secret" not in str(refused.value)
    for setting in ("namespace", "slots", "lease_s"):
        assert f"setting '{setting}' is malformed: " in str(refused.value)


@pytest.mark.parametrize("given", ["a:pipe,b:pipe", "a:pipe, b:pipe,", ["a:pipe", "b:pipe"]])
def test_several_pipes_are_a_list_or_a_text_with_commas(given: object) -> None:
    assert read_settings(GatewaySettings, {"app": given}).app == ("a:pipe", "b:pipe")


def test_several_pipes_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_APP", "a:pipe,b:pipe")
    assert read_settings(GatewaySettings).app == ("a:pipe", "b:pipe")
