"""`headrace k8s secrets`: what the manifests refer to is made, and the server is told hashes only."""

import os
import re
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from tests.headrace_cli.k8s.rendered import ROOT, kustomized, pods
from tests.support.pods import Pods

from headrace_cli.main import main

REDIS = "rediss://redis.example.com:6379/0?ssl_ca_certs=/etc/headrace-redis/ca.crt"


def made(capfd: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, str]]:
    assert main(["k8s", "secrets", "examples.fund_load:pipe", "--redis", REDIS, *options]) == 0
    found = yaml.safe_load_all(capfd.readouterr().out)
    return {each["metadata"]["name"]: each["stringData"] for each in found}


@pytest.mark.slow
@pytest.mark.parametrize("overlay", ["development", "production"])
def test_every_secret_that_the_manifests_refer_to_is_made(capfd: pytest.CaptureFixture[str], overlay: str) -> None:
    referred = set(re.findall(r"'(bus-[a-z-]+|signing-keys|redis-acl)'", repr(_referring(overlay))))
    assert referred
    assert referred - made(capfd).keys() == set()


def test_the_server_knows_the_hash_of_each_password_and_no_password(capfd: pytest.CaptureFixture[str]) -> None:
    secrets = made(capfd)
    acl = secrets["redis-acl"]["users.acl"]
    users = {line.split()[1]: line for line in acl.splitlines()}
    urls = [urlsplit(each["HEADRACE_BUS_URL"]) for each in secrets.values() if "HEADRACE_BUS_URL" in each]
    passwords = {url.username: url.password for url in urls}
    passwords[secrets["bus-keda"]["username"]] = secrets["bus-keda"]["password"]
    assert users.keys() == {"default", *passwords}
    assert users["default"] == "user default off"
    for name, password in passwords.items():
        assert name
        assert password
        assert f"#{sha256(password.encode()).hexdigest()}" in users[name]
        assert password not in acl
    assert {url.hostname for url in urls} == {"redis.example.com"}
    assert {url.query for url in urls} == {"ssl_ca_certs=/etc/headrace-redis/ca.crt"}
    assert secrets["bus-keda"]["address"] == "redis.example.com:6379"


def test_they_are_others_each_time(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = made(capfd), made(capfd)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] == second[name]] == []


def test_an_address_with_credentials_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["k8s", "secrets", "examples.fund_load:pipe", "--redis", "redis://:hush@redis:6379/0"]) == 2
    told = capfd.readouterr()
    assert "has credentials in it" in told.err
    assert "hush" not in told.err + told.out


def test_an_older_server_is_given_rules_that_it_knows(capfd: pytest.CaptureFixture[str]) -> None:
    assert "(" not in made(capfd, "--redis-6")["redis-acl"]["users.acl"]


@pytest.mark.slow
def test_every_service_takes_its_settings_of_production(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["k8s", "secrets", "examples.fund_load:pipe", "--redis", REDIS]) == 0
    objects = [*kustomized(ROOT / "k8s" / "fund_load" / "overlays" / "production")]
    pods = Pods([*objects, *yaml.safe_load_all(capfd.readouterr().out)], "none", tmp_path)
    (tmp_path / "api-keys.toml").write_text(f'[shop]\nsha256 = ["{"0" * 64}"]\nscopes = ["run:fund_load"]\n')
    files = {"HEADRACE_PLACEMENT": ROOT / "k8s" / "fund_load" / "base" / "placement.toml"}
    files["HEADRACE_API_KEYS_FILE"] = tmp_path / "api-keys.toml"
    for name in pods.names:
        with monkeypatch.context() as environment:
            for variable, value in pods.environment(name).items():
                environment.setenv(variable, str(files.get(variable, value)))
            assert environment_is_of_production()
            assert main([name.partition("-")[0], "--check"]) == 0, capfd.readouterr().err


def environment_is_of_production() -> bool:
    return os.environ["HEADRACE_PROFILE"] == "production"


def _referring(overlay: str) -> object:
    objects = kustomized(ROOT / "k8s" / "fund_load" / "overlays" / overlay)
    return [pods(objects), [each for each in objects if each["kind"] == "TriggerAuthentication"]]
