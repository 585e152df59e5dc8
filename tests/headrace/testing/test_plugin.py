"""The pytest plugin, as a user's own pytest runs it."""

import subprocess
import sys
import tomllib

import pytest
from tests.architecture.project import ROOT

PIPE = """
from headrace import Pipe
from msgspec import Struct

class Order(Struct): id: int
class Approved(Struct): id: int
class Receipt(Struct): id: int; charges: int = 1

right, wrong = Pipe("right"), Pipe("wrong")
charges = {}

@right.node
async def approve(order: Order) -> Approved:
    return Approved(order.id)

@right.node
def receipt(order: Approved) -> Receipt:
    return Receipt(order.id)

@wrong.node
async def charge(order: Order) -> Receipt:
    charges[order.id] = charges.get(order.id, 0) + 1
    return Receipt(order.id, charges[order.id])
"""
PLUGINS = ("-p", "headrace.testing.plugin", "-p", "anyio.pytest_plugin")
PARITY = """
from pipe import Order, right

def test_parity(headrace_sync):
    headrace_sync.parity(right, [Order(1), Order(2)])
"""


@pytest.fixture
def users(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's directory with a pipe, whose pytest has the plugins it is given and no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("HEADRACE_TEST_REDIS_URL", raising=False)
    pytester.makepyfile(pipe=PIPE)
    pytester.syspathinsert()
    return pytester


def test_a_right_pipe_passes_in_tests_of_both_kinds(users: pytest.Pytester) -> None:
    users.makepyfile(
        """
        import pytest
        from pipe import Order, Receipt, right

        def test_blocking(headrace_sync):
            assert headrace_sync.run(right, Order(1)) == Receipt(1)
            assert len(headrace_sync.survives(right, Order(1))) == 8

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_asynchronous(headrace, anyio_backend):
            assert await headrace.run(right, Order(1)) == Receipt(1)
            assert len(await headrace.survives(right, Order(1))) == 8
            assert {event.node for event in headrace.events} == {"approve", "receipt"}
            assert headrace.dead_letters == []
        """
    )
    users.runpytest_inprocess(*PLUGINS).assert_outcomes(passed=2)


def test_a_pipe_that_a_crash_breaks_fails_and_the_failure_names_the_node(users: pytest.Pytester) -> None:
    users.makepyfile(
        """
        from pipe import Order, charges, wrong

        def test_survives(headrace_sync):
            headrace_sync.survives(wrong, Order(1), reset=charges.clear)
        """
    )
    result = users.runpytest_inprocess(*PLUGINS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*headrace_sync.survives(wrong, Order(1), reset=charges.clear)",
            "E*pipe 'wrong' does not survive a crash in the node, before its outputs, at the hop of node 'charge', *",
            "E*without the crash: Receipt(id=1, charges=1)",
            "E*with the crash: Receipt(id=1, charges=2)",
        ]
    )
    result.stdout.no_fnmatch_line("*libs/headrace*")  # the failure is the user's: no line of the library is shown


def test_parity_is_skipped_with_a_reason_where_no_redis_is_given(users: pytest.Pytester) -> None:
    users.makepyfile(PARITY)
    result = users.runpytest_inprocess(*PLUGINS, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*parity needs a Redis: give --headrace-redis=redis://HOST:PORT, or set HEADRACE_TEST_REDIS_URL"]
    )


@pytest.mark.parametrize("way", ["option", "environment", "setting"])
def test_parity_finds_its_redis(
    way: str, users: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    users.makepyfile(PARITY)
    if way == "environment":
        monkeypatch.setenv("HEADRACE_TEST_REDIS_URL", redis_url)
    if way == "setting":
        users.makeini(f"[pytest]\nheadrace_redis = {redis_url}\n")
    options = [f"--headrace-redis={redis_url}"] if way == "option" else []
    users.runpytest_inprocess(*PLUGINS, *options).assert_outcomes(passed=1)


def test_the_option_wins_over_the_environment_and_that_over_the_setting(
    users: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    users.makepyfile(PARITY)
    users.makeini("[pytest]\nheadrace_redis = redis://127.0.0.1:1/0\n")
    monkeypatch.setenv("HEADRACE_TEST_REDIS_URL", redis_url)
    users.runpytest_inprocess(*PLUGINS).assert_outcomes(passed=1)
    users.runpytest_inprocess(*PLUGINS, "--headrace-redis=redis://127.0.0.1:1/0").assert_outcomes(failed=1)


def test_the_plugin_is_declared_and_pytest_is_optional() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"headrace": "headrace.testing.plugin"}
    assert any(line.startswith("pytest") for line in project["optional-dependencies"]["testing"])
    assert not any(line.startswith("pytest") for line in project["dependencies"])


@pytest.mark.parametrize(
    ("module", "absent"), [("headrace.testing.harness", ("pytest", "redis")), ("headrace.testing.plugin", ("redis",))]
)
def test_what_is_optional_is_not_imported(module: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
