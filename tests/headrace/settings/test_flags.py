import pytest

from headrace.errors import SettingsError
from headrace.settings.flags import parse_settings
from headrace.settings.services import GatewaySettings, ReplySettings, WorkerSettings


def test_the_app_may_be_given_without_its_flag() -> None:
    by_place = parse_settings(WorkerSettings, ["app:pipe", "--group", "one"], program="worker")
    by_flag = parse_settings(WorkerSettings, ["--app", "app:pipe", "--group=one"], program="worker")
    assert by_place == by_flag


def test_a_switch_has_a_negation() -> None:
    assert parse_settings(GatewaySettings, ["a:b", "--with-reply"], program="gateway").with_reply
    assert not parse_settings(GatewaySettings, ["a:b", "--no-with-reply"], program="gateway").with_reply


def test_an_unknown_flag_is_refused_with_the_nearest_and_without_its_value() -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings(ReplySettings, ["--namespac=secret"], program="reply")
    assert str(refused.value) == "setting '--namespac' is not known; did you mean '--namespace'?"


@pytest.mark.parametrize("arguments", [["secret"], ["--namespace", "a", "secret"]])
def test_a_value_that_belongs_to_no_flag_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings(ReplySettings, arguments, program="reply")
    assert str(refused.value) == "setting 'arguments' has a value that belongs to no flag"


def test_a_flag_without_its_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="argument --namespace: expected one argument"):
        parse_settings(ReplySettings, ["--namespace"], program="reply")


def test_a_secret_has_no_flag() -> None:
    with pytest.raises(SettingsError, match="'--signing-keys' is not known"):
        parse_settings(ReplySettings, ["--signing-keys", "k:AAAA"], program="reply")


def test_help_names_each_flag_with_its_variable_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_settings(GatewaySettings, ["--help"], program="headrace gateway")
    text = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "usage: headrace gateway" in text
    assert "--port PORT The port to listen on; 0 for a free one. [HEADRACE_PORT, default 8080]" in text
    assert "--signing-keys" not in text
