"""What children are started with, and the bus that they are told of."""

import pytest

from headrace.errors import SettingsError
from headrace.settings.services import GatewaySettings, WorkerSettings
from headrace.settings.sources import read_settings
from headrace_supervisor.host_bus import host_bus
from headrace_supervisor.settings import SupervisorSettings
from headrace_supervisor.specs import gateway_spec, worker_spec

TCP = {"bus_url": "tcp://127.0.0.1:0"}
OWN_KEY = "mine:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def settings_of(**given: object) -> SupervisorSettings:
    return read_settings(SupervisorSettings, {**TCP, **given})


def test_a_worker_gets_what_the_host_decides_and_its_own_settings_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADRACE_SLOTS", "7")
    spec = worker_spec("app:pipe", "one", settings_of(drain_s=4.0), TCP, outlives_us=True)
    told = spec.settings
    assert isinstance(told, WorkerSettings)
    assert (told.app, told.group, told.slots, told.drain_s, told.lease_s) == ("app:pipe", "one", 7, 4.0, 5.0)
    assert (spec.group, spec.stop_s) == ("one", 7.0)


def test_a_child_whose_bus_ends_with_us_has_nothing_to_finish_after_us() -> None:
    settings = settings_of(drain_s=4.0)
    orphans = [
        worker_spec("app:pipe", "one", settings, TCP, outlives_us=bus).settings.orphan_s for bus in (True, False)
    ]
    assert orphans == [4.0, 0.0]


def test_the_gateway_inherits_the_socket_and_runs_no_coordinator() -> None:
    spec = gateway_spec("app:pipe", settings_of(), TCP, 9, outlives_us=True)
    assert isinstance(spec.settings, GatewaySettings)
    assert (spec.settings.listen_fd, spec.settings.with_reply, spec.inherits) == (9, False, (9,))


def test_in_production_an_insecure_setting_is_told_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PROFILE", "production")
    with pytest.raises(SettingsError, match="setting 'signing_keys' is missing: in production envelopes are signed"):
        worker_spec("app:pipe", "one", settings_of(), TCP, outlives_us=True)


async def test_every_start_has_a_key_of_its_own_and_an_operators_keys_are_taken_beside_it() -> None:
    keys: list[str] = []
    for given in (None, None, OWN_KEY):
        async with host_bus(settings_of(bus_keys=given)) as host:
            told = read_settings(WorkerSettings, {**host.child_settings, "app": "app:pipe", "group": "one"})
            assert told.bus_keys is not None
            assert (told.bus_url.startswith("tcp://127.0.0.1:"), told.bus_url.endswith(":0")) == (True, False)
            keys.append(told.bus_keys.get_secret_value())
    first, second, third = keys
    assert first != second
    assert "," not in first
    assert third.endswith(f",{OWN_KEY}")


async def test_an_address_that_is_taken_is_a_mistake_in_the_settings() -> None:
    async with host_bus(settings_of()) as host:
        taken = settings_of(bus_url=host.child_settings["bus_url"])
        with pytest.raises(
            SettingsError, match=r"setting 'bus_url' is tcp://127.0.0.1:\d+, where no broker can listen"
        ):
            async with host_bus(taken):
                pass


def test_workers_serve_their_metrics_at_the_ports_after_the_hosts_own() -> None:
    spec = worker_spec("app:pipe", "one", settings_of(metrics_host="::1"), TCP, outlives_us=True, metrics_port=9466)
    assert isinstance(spec.settings, WorkerSettings)
    assert (spec.settings.metrics_host, spec.settings.metrics_port) == ("::1", 9466)
