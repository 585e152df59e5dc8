"""A reader at a terminal, who does what a page says: saves its files, types its commands, compares what is printed.

The directory is a reader's checkout: `examples` and `deploy` are there, and a `.venv` whose `headrace` is the one under
test. Addresses that a page must name are replaced by the test's own, and back again in what is printed.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.readme.blocks import ROOT, Block, Command, commands_of
from tests.support.packages import need
from tests.support.redis_server import free_port

import headrace
import headrace_cli

PORT = 8080
REDIS = "redis://127.0.0.1:6379"
MARK = "\x1e"
ANY = "..."
LOG_LINE = re.compile(r'\{.*"event": .*"timestamp": .*\}\n')  # on a terminal it has another form, which no page shows
BLOCK_TIMEOUT_S = 120.0
SERVERS = ("headrace dev", "headrace up")
SHARED = ("examples", "deploy")


class Session:
    """One reader in one directory.

    Args:
        directory: An empty one.
        redis_url: Stands for the Redis of the page.
        also: More texts of the page and what stands for them.
        in_checkout: Type in the checkout itself, for commands that read all of it and write nothing there.
    """

    def __init__(
        self,
        directory: Path,
        *,
        redis_url: str = "",
        also: Mapping[str, str] | None = None,
        in_checkout: bool = False,
        timeout_s: float = BLOCK_TIMEOUT_S,
    ) -> None:
        need("curl", "curl")
        self.port = free_port()
        self._directory = directory
        self._log = directory / ".printed"
        self._typed_in = ROOT if in_checkout else directory
        self._timeout_s = timeout_s
        self._instead = {REDIS: redis_url, f":{PORT}": f":{self.port}", **(also or {})}
        self._instead["headrace dev "] = f"headrace dev --port {self.port} "
        self._environment = _environment(directory, self.port)
        for name in SHARED:
            (directory / name).symlink_to(ROOT / name)
        _make_venv(directory / ".venv" / "bin")

    def run(self, block: Block) -> None:
        """Do what one block says."""
        if block.title:
            (self._directory / block.title).write_text(block.text, encoding="utf-8")
        match block.language:
            case "console":
                self._type(block)
            case "python" if not block.title:
                self._python(block)
            case "toml":
                tomllib.loads(block.text)
            case _:
                assert block.title or block.language in {"mermaid", "text"}, f"{block}: nothing runs this block"

    def _python(self, block: Block) -> None:
        done = subprocess.run(
            [sys.executable, "-c", self._with_ours(block.text)],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=self._timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{block}:\n{done.stderr}"

    def _type(self, block: Block) -> None:
        commands = commands_of(block)
        script = "\n".join(self._scripted(number, command) for number, command in enumerate(commands))
        printed = self._shell(block, script)
        for number, command in enumerate(commands):
            assert number in printed, f"{block}: '{command.text}' never ended; printed so far:\n{printed}"
            code, text = printed[number]
            said = f"{block}: $ {command.text}\n{text}"
            assert (code != 0) == command.output.startswith("error["), f"{said}\n(exit code {code})"
            assert fits(command.output, text), f"{said}\ndoes not fit\n{command.output}"

    def _with_ours(self, text: str) -> str:
        for theirs, ours in self._instead.items():
            text = text.replace(theirs, ours)
        return text

    def _scripted(self, number: int, command: Command) -> str:
        text = self._with_ours(command.text)
        is_server = text.startswith(SERVERS) and text.endswith("&")
        serves = f"grep -q '^serving pipe .*:{self.port}/' {shlex.quote(str(self._log))}"
        wait = f"\nuntil {serves} || ! kill -0 $!; do sleep 0.05; done" if is_server else ""
        return f"{text}{wait}\nprintf '\\n{MARK}%s %s\\n' {number} $?"

    def _shell(self, block: Block, script: str) -> dict[int, tuple[int, str]]:
        """Run a script; gives the exit code and the output of each command, both streams as a terminal shows them."""
        with self._log.open("wb") as printed:  # a file: a server left in the background would keep a pipe open
            shell = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self._typed_in,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                shell.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                raise AssertionError(
                    f"{block}: not within {self._timeout_s:g} s; printed:\n{self._log.read_text()}"
                ) from None
            finally:
                _end_group(shell)
        lines = self._log.read_text(encoding="utf-8").replace(f":{self.port}", f":{PORT}").splitlines(keepends=True)
        text = "".join(line for line in lines if not LOG_LINE.fullmatch(line))
        parts = re.split(rf"{MARK}(\d+) (\d+)\n", text)
        return {int(parts[at]): (int(parts[at + 1]), parts[at - 1]) for at in range(1, len(parts) - 1, 3)}


def fits(expected: str, printed: str) -> bool:
    """Tell whether what was printed is what a page shows: `...` is any text, a line of just that any lines, or none."""
    lines = (
        r"(?:[^\n]*\n)*?" if line == ANY else "[^\\n]*?".join(map(re.escape, line.split(ANY))) + r"\n"
        for line in _trimmed(expected).splitlines()
    )
    return re.fullmatch("".join(lines), _trimmed(printed)) is not None


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())


def _end_group(shell: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def _environment(directory: Path, port: int) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    curl = directory / ".home"
    curl.mkdir()
    (curl / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n"\n')  # our answers end without a line end
    roots = dict.fromkeys(str(Path(package.__file__ or "").parents[1]) for package in (headrace, headrace_cli))
    return {
        **own,
        "CURL_HOME": str(curl),
        "HEADRACE_PORT": str(port),
        "PATH": f"{directory / '.venv' / 'bin'}{os.pathsep}{own['PATH']}",
        "PYTHONPATH": os.pathsep.join(roots),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _make_venv(commands: Path) -> None:
    commands.mkdir(parents=True)
    python = shlex.quote(sys.executable)
    (commands / "kubectl").symlink_to(Path(sysconfig.get_path("scripts"), "kubectl"))
    for name, line in (("headrace", f'exec {python} -m headrace_cli "$@"'), ("python", f'exec {python} "$@"')):
        (commands / name).write_text(f"#!/bin/sh\n{line}\n")
        (commands / name).chmod(0o755)
    (commands / "activate").write_text(f"PATH={shlex.quote(str(commands))}:$PATH\n")
