"""Writes the parts of these pages that the code knows best: settings, Redis keys, states, options, statuses.

A page marks such a part with `<!-- generated: NAME -->` and `<!-- end -->`; what stands between is replaced.

    python docs/generate.py            writes
    python docs/generate.py --check    writes nothing; ends with 1 and names the pages that are out of date
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import click
import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from headrace.bus.redis import keys
from headrace.bus.redis.acl import users
from headrace.bus.redis.nodes import BLOCKING_CONNECTIONS, COMMAND_CONNECTIONS
from headrace.errors import FailureKind, FailureSource
from headrace.graph.declaration import NodeOptions
from headrace.graph.options import Retry
from headrace.kernel import events
from headrace.kernel.context import Context
from headrace.ledger.tables import RUN_MOVES, TAKES_OUTPUTS
from headrace.observe import spans
from headrace.observe.metrics import catalog
from headrace.settings.bus import BusSettings
from headrace.settings.services import GatewaySettings, ReplySettings, ServiceSettings, WorkerSettings
from headrace.settings.sources import Settings, flag, variable
from headrace.wire.envelope import Envelope
from headrace_cli.k8s.command import k8s
from headrace_cli.main import app
from headrace_gateway import problem
from headrace_supervisor.settings import SupervisorSettings

PAGES = Path(__file__).parent
_PART = re.compile(r"(?P<start><!-- generated: (?P<name>[a-z ]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")
_ON_OTHER_PAGES = ("worker", "gateway", "reply", "k8s")  # services, whose flags are their settings; manifests


def main(arguments: list[str]) -> int:
    """Write, or check; gives the exit code."""
    stale = [page for page, text in rendered().items() if page.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for page in stale:
            sys.stderr.write(f"{page.name} is out of date; run: python docs/generate.py\n")
        return 1 if stale else 0
    for page, text in rendered().items():
        page.write_text(text, encoding="utf-8")
    return 0


def rendered() -> dict[Path, str]:
    """Give every page as it should be."""
    return {page: _PART.sub(_part, page.read_text(encoding="utf-8")) for page in sorted(PAGES.glob("*.md"))}


def used_parts() -> set[str]:
    """Name the parts that the pages have."""
    return {found["name"] for page in PAGES.glob("*.md") for found in _PART.finditer(page.read_text(encoding="utf-8"))}


def _part(found: re.Match[str]) -> str:
    return f"{found['start']}\n{PARTS[found['name']]()}\n\n{found['end']}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _settings(settings_class: type[Settings], beside: type[Settings] | None = None, *, has_flags: bool = True) -> str:
    known = beside.model_fields if beside else {}
    fields = {name: field for name, field in settings_class.model_fields.items() if name not in known}
    rows = (
        (
            f"`{name}`",
            *([_flag(name, field)] if has_flags else []),
            f"`{variable(name)}`",
            _default(field.get_default(call_default_factory=True), is_required=field.is_required()),
            field.description or "",
        )
        for name, field in fields.items()
    )
    return _table(("setting", *(["flag"] if has_flags else []), "variable", "default", "meaning"), rows)


def _flag(name: str, field: FieldInfo) -> str:
    is_secret = SecretStr in (field.annotation, *get_args(field.annotation))
    return "none: it is a secret" if is_secret else f"`{flag(name)}`"


def _default(value: object, *, is_required: bool) -> str:
    if is_required:
        return "required"
    return "" if value in (None, (), "", {}) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands() -> str:
    group: Any = typer.main.get_command(app)
    return "\n\n".join(
        f"## {name}\n\n{text}" for name, command in group.commands.items() if (text := _with_its_own(name, command))
    )


def _with_its_own(name: str, command: Any) -> str:  # noqa: ANN401 - as below
    if name in _ON_OTHER_PAGES:
        return ""
    own = getattr(command, "commands", None)
    if own is None:
        return _command(name, command)
    return "\n\n".join(_command(f"{name} {each}", below) for each, below in own.items())


def _manifests() -> str:
    group: Any = typer.main.get_command(k8s)
    return "\n\n".join(_command(f"k8s {name}", command) for name, command in group.commands.items())


def _command(name: str, command: Any) -> str:  # noqa: ANN401 - click's, or the copy of it that Typer brings
    rows = [
        (_spelled(each), _shown(each.default), each.help or "The pipe, as module:attribute.") for each in command.params
    ]
    return f"`headrace {name}`: {command.help}\n\n{_table(('parameter', 'default', 'meaning'), rows)}"


def _spelled(parameter: click.Parameter) -> str:
    is_option = parameter.param_type_name == "option"
    return f"`{parameter.opts[0]}`" if is_option else f"`{(parameter.name or '').upper()}`"


def _shown(default: object) -> str:
    if default is None or default is False or not isinstance(default, str | int | StrEnum):
        return ""
    return f"`{default}`"


def _docstring_table(of: ModuleType) -> str:
    return "\n".join(line for line in inspect.getdoc(of).splitlines() if line.startswith("|"))  # type: ignore[union-attr]


def _keys() -> str:
    return "\n\n".join(inspect.getdoc(keys).split("\n\n")[1:])  # type: ignore[union-attr] # it has a docstring


def _run_states() -> str:
    rows = (
        (
            f"`{state}`",
            ", ".join(f"`{after}`" for after in type(state) if after in following) or "none, it is the end",
            "recorded" if state in TAKES_OUTPUTS else "dropped",
        )
        for state, following in RUN_MOVES.items()
    )
    return _table(("state", "may become", "outputs of its hops are"), rows)


def _attributes(of: type[Any]) -> str:
    return _table(("name", "meaning"), _described(inspect.getdoc(of) or ""))


def _described(docstring: str) -> Iterator[tuple[str, str]]:
    """Read the attributes of a Google-style docstring: one starts at the indent of the first, the rest is deeper."""
    lines = docstring.partition("Attributes:\n")[2].partition("\n\n")[0].splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    entries: list[str] = []
    for line in lines:
        if line[indent : indent + 1].strip():
            entries.append(line.strip())
        elif line.strip():
            entries[-1] += f" {line.strip()}"
    for entry in entries:
        if found := _ATTRIBUTE.match(entry):
            yield f"`{found[1]}`", found[2]


def _failures() -> str:
    kinds = ", ".join(f"`{kind}`" for kind in FailureKind)
    sources = ", ".join(f"`{source}`" for source in FailureSource)
    return f"Kinds: {kinds}.\n\nSources: {sources}."


def _connections() -> str:
    rows = (
        ("worker", "2", str(COMMAND_CONNECTIONS + 2)),
        ("reply service", "1", str(COMMAND_CONNECTIONS + 1)),
        ("gateway", "1", str(COMMAND_CONNECTIONS + 1)),
        ("gateway with `with_reply`", "2", str(COMMAND_CONNECTIONS + 2)),
        ("any process", f"{BLOCKING_CONNECTIONS}, one a reader", str(COMMAND_CONNECTIONS + BLOCKING_CONNECTIONS)),
    )
    return _table(("process", "blocking reads", "at most in all"), rows)


def _metrics() -> str:
    rows = (
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.says, each.of)
        for each in catalog.ALL
    )
    return _table(("metric", "is a", "labels", "says", "of"), rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "settings of every service": lambda: _settings(ServiceSettings),
    "settings of the worker": lambda: _settings(WorkerSettings, ServiceSettings),
    "settings of the gateway": lambda: _settings(GatewaySettings, ServiceSettings),
    "settings of a host": lambda: _settings(SupervisorSettings, BusSettings, has_flags=False),
    "settings of the reply service": lambda: (
        _settings(ReplySettings, ServiceSettings)
        if ReplySettings.model_fields.keys() - ServiceSettings.model_fields.keys()
        else "It has no settings of its own."
    ),
    "commands": _commands,
    "manifests": _manifests,
    "users": lambda: _docstring_table(users),
    "keys": _keys,
    "run states": _run_states,
    "node options": lambda: _attributes(NodeOptions),
    "retry": lambda: _attributes(Retry),
    "context": lambda: _attributes(Context),
    "events": lambda: _docstring_table(events),
    "failures": _failures,
    "statuses": lambda: _docstring_table(problem),
    "connections": _connections,
    "metrics": _metrics,
    "envelope": lambda: _attributes(Envelope),
    "spans": lambda: _docstring_table(spans),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
