"""A service that is stopped while it starts ends."""

import signal
import subprocess
import sys

import pytest


def hang() -> int:
    """A main function that is not yet at the point where it listens for signals."""
    sys.stdout.write("starting\n")
    sys.stdout.flush()
    signal.pause()
    return 0


def code() -> int:
    return 3


def started(main: str) -> subprocess.Popen[str]:
    program = f"import sys; from headrace.settings.start import start; sys.exit(start('{__name__}:{main}'))"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_the_service_listens_ends_it_by_a_handler_of_ours(number: signal.Signals) -> None:
    with started("hang") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        process.send_signal(number)
        assert (
            process.wait(10) == 128 + number
        )  # without a handler it would be the signal itself, and nothing as process 1


def test_the_exit_code_is_the_services_own() -> None:
    with started("code") as process:
        assert process.wait(10) == 3
