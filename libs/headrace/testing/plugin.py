"""The pytest plugin: fixtures `headrace` and `headrace_sync`, and where the Redis of `parity` is.

The address is taken from `parity(redis_url=...)`, else `--headrace-redis`, else the environment's
`HEADRACE_TEST_REDIS_URL`, else `headrace_redis` in pytest's configuration. Without any, `parity` is skipped.
"""

import os
from contextlib import AbstractAsyncContextManager

import pytest

from headrace.bus.protocol import Bus
from headrace.testing.harness import Harness, SyncHarness

ADDRESS = "HEADRACE_TEST_REDIS_URL"
_OPTION = "headrace_redis"
_NO_REDIS = f"parity needs a Redis: give --headrace-redis=redis://HOST:PORT, or set {ADDRESS}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting."""
    what = "Redis that headrace.parity compares with; tests write to a namespace of their own there"
    parser.getgroup("headrace").addoption("--headrace-redis", dest=_OPTION, metavar="URL", help=what)
    parser.addini(_OPTION, what, default="")


@pytest.fixture
def headrace(pytestconfig: pytest.Config) -> Harness:
    """Runs, crashes and compares pipes, from asynchronous tests."""

    def open_bus(redis_url: str | None) -> AbstractAsyncContextManager[Bus]:
        return _open_redis(redis_url or _address(pytestconfig))

    return Harness(open_bus)


@pytest.fixture
def headrace_sync(headrace: Harness) -> SyncHarness:
    """Runs, crashes and compares pipes, from tests that are not asynchronous."""
    return SyncHarness(headrace)


def _address(config: pytest.Config) -> str:
    option: str | None = config.getoption(_OPTION)
    setting: str = config.getini(_OPTION)
    return option or os.environ.get(ADDRESS, "") or setting


def _open_redis(url: str) -> AbstractAsyncContextManager[Bus]:
    if not url:
        pytest.skip(_NO_REDIS)
    # the plugin is loaded wherever Headrace is installed, with or without its Redis client
    profile = pytest.importorskip(
        "headrace.testing.redis_profile", reason="parity needs headrace[redis]", exc_type=ImportError
    )
    opened: AbstractAsyncContextManager[Bus] = profile.redis_profile(url)
    return opened
