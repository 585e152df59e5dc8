"""The demo: starts `headrace dev` on a free port, asks it over HTTP as curl would, shows the answer, stops it.

Needs no Redis and no second process; ends with exit code 0 only where the answer is the right one.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

APP = "examples.greetings:pipe"
REQUEST = {"name": "Ada"}
ANSWER = {"text": "Hello, Ada"}
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


def main() -> int:
    """Run the demo; gives the exit code."""
    port = _free_port()
    command = ["headrace", "dev", APP, "--port", str(port)]
    _say(f"$ {' '.join(command)} &")
    beside_python = Path(sys.executable).with_name(command[0])
    environment = {**os.environ, "HEADRACE_LOG_LEVEL": "warning"}  # so that request and answer stand out
    server = subprocess.Popen([str(beside_python), *command[1:]], env=environment)  # noqa: S603 - our own command, no shell
    try:
        if not _is_ready(server, port):
            _say(f"demo: the server was not ready within {START_TIMEOUT_S:g} s")
            return 1
        body = json.dumps(REQUEST, separators=(",", ":"))
        _say(f"$ curl -d '{body}' http://127.0.0.1:{port}/v1/pipes/greetings")
        status, answer = _ask(port, "POST", "/v1/pipes/greetings", body)
        _say(answer)
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(STOP_TIMEOUT_S)
    is_right = status == http.client.OK and json.loads(answer) == ANSWER and code == 0
    _say("demo: ok" if is_right else f"demo: failed, status {status}, exit code {code}")
    return 0 if is_right else 1


def _is_ready(server: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if _ask(port, "GET", "/readyz")[0] == http.client.OK:
                return True
        except OSError:  # it does not listen yet
            pass
        time.sleep(0.05)
    return False


def _ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
