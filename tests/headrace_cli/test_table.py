"""The live table of `headrace up`, as it stands at a moment."""

import io

from msgspec import Struct
from rich.console import Console
from tests.headrace_worker.app import pipe as numbers

from headrace.bus.memory.bus import MemoryBus
from headrace.runtime.reports import Beat
from headrace.settings.services import WorkerSettings
from headrace.settings.sources import read_settings
from headrace_cli.table import table_of
from headrace_supervisor.child import Spec
from headrace_supervisor.deployment import Deployment
from headrace_supervisor.place import Place, State
from headrace_supervisor.supervisor import Supervisor


class Row(Struct):
    group: str
    state: State
    in_flight: int
    restarts: int


def place_of(row: Row) -> Place:
    settings = read_settings(WorkerSettings, {"app": "app:pipe", "group": row.group})
    place = Place(Spec(f"worker '{row.group}'" if row.group else "gateway", "module", settings, row.group), {})
    place.state, place.beat, place.restarts = row.state, Beat(row.in_flight, 0), row.restarts
    return place


async def test_every_process_has_a_row_and_every_group_its_backlog_once() -> None:
    workers = [
        place_of(Row("one", State.READY, 12, 0)),
        place_of(Row("one", State.WAITING, 0, 3)),
        place_of(Row("two", State.STARTING, 0, 0)),
    ]
    gateway = place_of(Row("", State.READY, 7, 1))
    gateway.url = "http://here"
    written = io.StringIO()
    table = table_of(
        Deployment(numbers.compile(), MemoryBus(), Supervisor([gateway], workers)), {"one": 1234, "two": 0}
    )
    Console(file=written, width=100).print(table)
    title, *_, one, other, two, last, _ = (line.strip() for line in written.getvalue().splitlines())
    assert title == "numbers at http://here"
    assert [one.split(), other.split()] == [
        ["│", "one", "│", "│", "ready", "│", "1,234", "│", "12", "│", "0", "│", "0", "│"],
        ["│", "│", "│", "waiting", "│", "│", "0", "│", "0", "│", "3", "│"],
    ]
    assert two.split()[1:6] == ["two", "│", "│", "starting", "│"]
    assert last.split() == ["│", "gateway", "│", "│", "ready", "│", "│", "7", "│", "0", "│", "1", "│"]
