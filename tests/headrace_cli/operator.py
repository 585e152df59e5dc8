"""Someone at a terminal, whose commands go to one deployment."""

import json
from typing import Any

import pytest

from headrace.bus.redis.keys import Keys
from headrace_cli.main import main


class Operator:
    """Types commands, and reads what they write."""

    def __init__(self, url: str, namespace: str, capfd: pytest.CaptureFixture[str]) -> None:
        self.url, self.namespace = url, namespace
        self.keys = Keys(namespace, 0)
        self._capfd = capfd

    def types(self, *command: str, code: int = 0) -> str:
        assert main([*command, "--bus-url", self.url, "--namespace", self.namespace]) == code
        written = self._capfd.readouterr()
        return written.out or written.err

    def asks(self, *command: str, code: int = 0) -> Any:
        return json.loads(self.types(*command, "--json", code=code))

    def letters(self, *filters: str) -> list[Any]:
        return list(self.asks("dlq", "ls", *filters)["letters"])
