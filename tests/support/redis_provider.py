"""Where tests get their Redis: the environment, a container, the binary, or the package manager; else what to do.

Each way gives an address, or None where it does not apply here; the first address is used. Nothing is skipped silently.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from docker.errors import DockerException  # type: ignore[import-untyped]  # comes with testcontainers, without types
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from tests.support.packages import have, succeeds
from tests.support.redis_server import BINARY, IN_MEMORY, RedisServer, answers

from headrace.testing.wait import wait_until_sync

ADDRESS = "HEADRACE_TEST_REDIS_URL"
IMAGE = "redis:7"
PORT = 6379
PULL_TIMEOUT_S = 20  # the image has 45 MB; on a slower line the binary is the quicker way
NEED_REDIS = f"""the tests need a Redis server, and none was found. One of these is enough:
  - set {ADDRESS} to a server that tests may write to, for example redis://127.0.0.1:6379/15
  - start Docker: the tests then run the image {IMAGE} themselves
  - install the server, so that `redis-server` is on the PATH: apt-get install redis-server, or brew install redis"""


@contextmanager
def provide_redis() -> Iterator[str]:
    """Give the address of a Redis server, which lives as long as the context is open.

    Raises:
        RuntimeError: There is none and none can be started; the message says what to do.
    """
    ways: tuple[Callable[[ExitStack], str | None], ...] = (_given, _in_a_container, _from_the_binary)
    with ExitStack() as stack:
        for way in ways:
            if url := way(stack):
                yield url
                return
        raise RuntimeError(NEED_REDIS)


def have_binary() -> bool:
    """Tell whether there is a `redis-server`; on Debian as root it is installed where it is missing."""
    return have(BINARY, BINARY)


def docker_answers() -> bool:
    """Tell whether a Docker engine answers here."""
    return shutil.which("docker") is not None and succeeds("docker", "info", timeout_s=10)


def _given(_stack: ExitStack) -> str | None:
    url = os.environ.get(ADDRESS)
    if url and not answers(url):
        raise RuntimeError(f"{ADDRESS} is set, and no Redis server answers at its address; start it or unset {ADDRESS}")
    return url


def _in_a_container(stack: ExitStack) -> str | None:
    if not docker_answers() or not _have_image():
        return None
    testcontainers_config.ryuk_disabled = True  # a second image to pull, to do what the exit stack does
    container = DockerContainer(IMAGE).with_exposed_ports(PORT)
    # Protected mode would refuse whoever comes from outside the container, which is where the tests are.
    container.with_command(["redis-server", *IN_MEMORY, "--protected-mode", "no"])
    try:
        stack.enter_context(container)
        url = f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}/0"
        wait_until_sync(lambda: answers(url), timeout_s=5, description=f"the container of {IMAGE} answers at {url}")
    except (DockerException, RequestException, OSError, AssertionError):
        return None  # an engine that cannot run it, or whose ports do not reach us: the binary is the next way
    return url


def _from_the_binary(stack: ExitStack) -> str | None:
    return stack.enter_context(RedisServer()).url if have_binary() else None


def _have_image() -> bool:
    inspect = ("docker", "image", "inspect", IMAGE)
    return succeeds(*inspect, timeout_s=10) or succeeds("docker", "pull", IMAGE, timeout_s=PULL_TIMEOUT_S)
