"""Placement: which group runs which node. Values and a parser of text; who calls reads the file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from headrace.errors import SettingsError
from headrace.graph.mistakes import suggest

DEFAULT_GROUP = "main"
_KEYS = ("default", "groups")
_SETTING = "placement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which group runs which node.

    Attributes:
        groups: Group by node; wins over the node's `group=`.
        default: Group of the nodes that have neither; None makes such a node a mistake.
    """

    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    default: str | None = None

    def group_of(self, node: str, declared: str | None) -> str | None:
        """Give the group of a node whose `group=` is `declared`; None where nothing places it."""
        return self.groups.get(node) or declared or self.default


def placement_of(given: Mapping[str, str] | Placement | None) -> Placement:
    """Read a placement as `Pipe.compile` takes it; only a `Placement` is strict."""
    if isinstance(given, Placement):
        return given
    return Placement(groups=dict(given or {}), default=DEFAULT_GROUP)


def parse_placement(text: str, format: Literal["toml"] = "toml") -> Placement:  # noqa: A002 - the word users know
    """Parse a placement file.

        default = "main"          # optional; without it every node must be placed
        [groups]
        intake = ["parse"]
        decisions = ["decide"]

    Raises:
        SettingsError: The text is malformed, or a node is in two groups.
    """
    if format != "toml":
        raise SettingsError(_SETTING, f"has format '{format}'; only 'toml' is known")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(_SETTING, f"is no TOML: {error}") from error
    for key in table:
        if key not in _KEYS:
            raise SettingsError(f"{_SETTING}.{key}", f"is not known{suggest(key, _KEYS)}")
    return Placement(groups=_groups(table.get("groups", {})), default=_default(table.get("default")))


def _default(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and value):
        raise SettingsError(f"{_SETTING}.default", "must be the name of a group")
    return value


def _groups(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise SettingsError(f"{_SETTING}.groups", "must be a table from group to a list of nodes")
    placed: dict[str, str] = {}
    for group, nodes in cast("dict[str, Any]", value).items():
        for node in _nodes(group, nodes):
            if placed.setdefault(node, group) != group:
                raise SettingsError(_setting_of(group), f"names node '{node}', which is in group '{placed[node]}' too")
    return placed


def _nodes(group: str, value: object) -> tuple[str, ...]:
    nodes: tuple[object, ...] = tuple(cast("list[object]", value)) if isinstance(value, list) else ()
    names = tuple(node for node in nodes if isinstance(node, str) and node)
    if not names or len(names) != len(nodes):
        raise SettingsError(_setting_of(group), 'must be a list of node names, such as ["parse"]')
    return names


def _setting_of(group: str) -> str:
    return f"{_SETTING}.groups.{group}"
