"""Loads an HTTP server with wrk, which runs the script here: it posts the payload, and ends with a line of JSON."""

import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks.harness.machine import children_cpu_s

_SCRIPT = """
function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  local file = io.open(arguments[1], "rb")
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"rate":%f,"p50_ms":%f,"p99_ms":%f,"calls":%d,"errors":%d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests, failed))
end
"""


def wrk(url: str, body: bytes, *, connections: int, seconds: float) -> dict[str, float]:
    """Load a server; gives requests/s and latencies of what was answered.

    Raises:
        RuntimeError: An answer was no success.
    """
    with tempfile.TemporaryDirectory() as directory:
        script, payload = Path(directory) / "post.lua", Path(directory) / "body.json"
        script.write_text(_SCRIPT)
        payload.write_bytes(body)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(script)]
        before_s = children_cpu_s()
        ran = subprocess.run(  # noqa: S603 - our own command
            [*command, url, "--", str(payload)], capture_output=True, text=True, check=True
        )
        cpu_s = children_cpu_s() - before_s
    figures = json.loads(ran.stdout.splitlines()[-1])
    if figures.pop("errors"):
        raise RuntimeError(f"not every answer was a success: {ran.stdout}")
    figures["client_cpu_us"] = cpu_s / figures["calls"] * 1e6
    return {name: float(value) for name, value in figures.items()}
