"""The settings of a deployment on one host; those of its services that are not here are read as theirs."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import NoDecode

from headrace.errors import SettingsError
from headrace.graph.mistakes import suggest
from headrace.settings.bus import BusSettings
from headrace.settings.logs import LogSettings
from headrace.settings.services import MetricsSettings, PlacementSettings

DEFAULT_WORKERS = 1


def _counts(value: object) -> object:
    """Read `2`, `billing=4`, or several of these, the last for a group being the one that counts."""
    if not isinstance(value, str):
        return value
    counts: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in value.split(","))):
        group, equals, count = part.rpartition("=")
        counts[group if equals else ""] = count
    return counts


Workers = Annotated[dict[str, Annotated[int, Field(ge=1)]], NoDecode, BeforeValidator(_counts)]
"""Processes by group; those of the empty name are for every group that is not named."""


class SupervisorSettings(BusSettings, LogSettings, PlacementSettings, MetricsSettings):
    """Run a whole deployment on one host, until SIGTERM."""

    workers: Workers = Field(
        {}, description="Worker processes: N for every group, group=N for one; several with commas."
    )
    host: str = Field("127.0.0.1", description="The address that the gateway listens on.")
    port: int = Field(8080, ge=0, le=65535, description="The port that it listens on; 0 for a free one.")
    drain_s: float = Field(20.0, ge=0, description="The most seconds that a stop waits for work under way, in all.")
    lease_s: float = Field(5.0, gt=0, description="Seconds of silence after which others have what a worker held.")
    start_s: float = Field(60.0, gt=0, description="Seconds that a child has for its first report.")
    hang_s: float = Field(30.0, gt=1, description="Seconds without a report after which a child is killed.")
    crash_limit: int = Field(
        5, ge=1, description="Times in a row that a child may die before it works, or right after; then all is stopped."
    )


def counts_of(workers: Workers, groups: Sequence[str]) -> dict[str, int]:
    """Give the number of worker processes of each group.

    Raises:
        SettingsError: A group is named that is not there.
    """
    for name in workers:
        if name and name not in groups:
            there = ", ".join(groups)
            raise SettingsError("workers", f"names group '{name}', and there are: {there}{suggest(name, list(groups))}")
    default = workers.get("", DEFAULT_WORKERS)
    return {group: workers.get(group, default) for group in groups}
