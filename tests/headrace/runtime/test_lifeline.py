"""The end of a child whose parent was killed, in real processes."""

import os
import signal
import subprocess
import sys

import pytest
from tests.support.processes import is_gone

from headrace.testing.wait import wait_until_sync

CHILD = """
import os, sys, time
from headrace.runtime.lifeline import watch_parent
watch_parent(int(sys.argv[1]), lambda: None, orphan_s=0.0)
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = """
import os, subprocess, sys
reading, _ = os.pipe()
subprocess.run([sys.executable, "-c", sys.argv[1], str(reading)], pass_fds=(reading,))
"""


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_ends_with_its_parent_though_it_is_stopped(stopped: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if stopped:
            os.kill(child, signal.SIGSTOP)
        parent.kill()
        wait_until_sync(lambda: is_gone(child), description="the child has ended")
