"""No secret comes into the log, by whatever name or in whatever text."""

import json
import logging

import pytest
import structlog

from headrace.settings.log_hooks import add_log_hook
from headrace.settings.logs import LogSettings, set_up_logging
from headrace.settings.sources import read_settings

SECRET = "c0ffee-5ecret"


FORMATS = pytest.mark.parametrize("log_format", ["json", "human"])


def set_up(log_format: str) -> structlog.typing.FilteringBoundLogger:
    set_up_logging(read_settings(LogSettings, {"log_format": log_format, "log_redact": "iban,bic"}), "worker")
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("test")
    return logger


@FORMATS
@pytest.mark.parametrize("name", ["password", "Authorization", "X-Api-Key", "iban", "IBAN"])
def test_fields_that_are_called_like_a_secret_are_masked_at_any_depth(
    name: str, log_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = set_up(log_format)
    log.info("asked", **{name: SECRET}, headers={"accept": "text", name: SECRET}, several=[{name: SECRET}])
    written = capfd.readouterr().err
    assert SECRET not in written
    assert "***" in written
    assert "text" in written


@FORMATS
@pytest.mark.parametrize(
    "text", [f"redis://app:{SECRET}@redis:6379/0", f"rediss://:{SECRET}@redis", f"Authorization: Bearer {SECRET}"]
)
def test_texts_lose_what_has_the_form_of_a_secret(
    text: str, log_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = set_up(log_format)
    log.info("connected", at=text, others=[text])
    logging.getLogger("third.party").warning("cannot reach %s", text)
    written = capfd.readouterr().err
    assert SECRET not in written
    assert written.count("***") == 3


@FORMATS
def test_a_traceback_is_masked_too(log_format: str, capfd: pytest.CaptureFixture[str]) -> None:
    log, error = set_up(log_format), ConnectionError(f"redis://app:{SECRET}@redis:6379/0 is away")
    log.error("failed", exc_info=error)
    written = capfd.readouterr().err
    assert SECRET not in written
    assert "redis:6379/0 is away" in written


@FORMATS
def test_hooks_see_no_secret_either(log_format: str) -> None:
    seen: list[object] = []
    with add_log_hook(lambda event: seen.append(event["password"])):
        set_up(log_format).info("asked", password=SECRET)
    assert seen == ["***"]


def test_what_is_no_secret_stays_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    set_up("json").info("asked", token=None, tokens=3, at="http://gateway:8080/v1", who="a@b.example:5")
    event = json.loads(capfd.readouterr().err)
    assert (event["token"], event["tokens"]) == (None, 3)
    assert (event["at"], event["who"]) == ("http://gateway:8080/v1", "a@b.example:5")
