"""Tasks in child processes, on trio."""

import os
import threading

import anyio
import pytest

from headrace.executors import Cancelled, Executor
from headrace.testing.wait import wait_until_sync

pytestmark = pytest.mark.slow


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


async def test_a_child_is_killed_with_its_task_and_the_others_end_with_their_executor() -> None:
    async with Executor("process", concurrency=1) as executor:
        handle = await executor.submit(lambda: threading.Event().wait())
        await anyio.wait_all_tasks_blocked()
        assert handle.cancel() is Cancelled.STOPPED
        pid = await (await executor.submit(os.getpid))

    def has_ended() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until_sync(has_ended, description="the child has ended")
