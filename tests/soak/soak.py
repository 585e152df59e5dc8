"""A soak: two pipes under load on one Redis while processes are killed at random; then the proof, from outside."""

import asyncio
from collections.abc import Iterator
from itertools import count

from examples.fund_load import pipe as fund_load
from examples.fund_load.parse import read_line
from msgspec import Struct
from tests.examples.fund_load.generator import generate
from tests.examples.fund_load.reference import judge_all
from tests.soak.drawn import draw, entry, is_cancelled, is_signalled, steered_after_s
from tests.soak.expected import CANCELLED, DROPPED, FAILED, Expected, Outcome, expect
from tests.soak.feed import Fed, feed
from tests.soak.fleet import Fleet
from tests.soak.outside import Outside
from tests.soak.pipe import SIGNAL, Go, build
from tests.support.redis_server import IN_MEMORY, RedisServer

from headrace.bus.redis.bus import RedisBus
from headrace.ledger.terminal import failure_of
from headrace.ledger.values import RunState, Terminal
from headrace.runtime.client import Client
from headrace.runtime.compose import connected
from headrace.wire.envelope import Framing

NAMESPACE = "soak"
DRAWN_APP = "tests.soak.pipe:pipe"
FUND_LOAD_APP = "examples.fund_load:pipe"
RETENTION_S = 3600.0


class Options(Struct, frozen=True):
    """How a soak runs.

    Attributes:
        seconds: How long runs are started.
        workers: Of each group.
        lines: The most lines for the fund-load pipe, whose state grows with each.
        seed: Of the drawn pipeline, of what both pipes are fed, and of who is killed when.
    """

    seconds: float
    workers: int
    lines: int
    seed: int


class Figures(Struct, frozen=True):
    """What a soak came to.

    Attributes:
        entries: That went through the groups' streams; one of a lane may hold several messages.
        fenced: Commits that came too late, of workers that could still say so.
    """

    runs_drawn: int
    runs_fund_load: int
    entries: int
    seconds: float
    kills: int
    pauses: int
    fenced: int
    largest_wait_s: float

    def table(self) -> str:
        """Give the figures as lines."""
        rows = {
            "runs of the drawn pipe": f"{self.runs_drawn:,}",
            "runs of fund_load": f"{self.runs_fund_load:,}",
            "entries through streams": f"{self.entries:,}",
            "duration": f"{self.seconds:.1f} s",
            "entries a second": f"{self.entries / self.seconds:,.0f}",
            "kills": f"{self.kills:,}",
            "pauses past a lease": f"{self.pauses:,}",
            "fenced commits": f"{self.fenced:,}",
            "largest wait": f"{self.largest_wait_s:.1f} s",
        }
        return "".join(f"{name:<26}{value:>12}\n" for name, value in rows.items())


async def soak(options: Options) -> Figures:
    """Run a soak on a server of its own.

    Raises:
        AssertionError: The proof found what must not be.
    """
    with RedisServer(IN_MEMORY) as server:
        drawn = build(options.seed).compile()
        groups = {DRAWN_APP: tuple(drawn.groups), FUND_LOAD_APP: tuple(fund_load.compile().groups)}
        fleet = Fleet(server.url, NAMESPACE, groups, workers=options.workers, seed=options.seed)
        bus, clock = RedisBus(server.url, namespace=NAMESPACE, retention_s=RETENTION_S), asyncio.get_running_loop().time
        try:
            async with (
                connected(drawn, bus, Framing()) as drawn_client,
                connected(fund_load.compile(), bus, Framing()) as fund_client,
            ):
                await fleet.ready()
                began_s = clock()
                fed_drawn, fed_lines = await _under_fire(fleet, drawn_client, fund_client, options, began_s)
                seconds = clock() - began_s
                outside = Outside(server.url, NAMESPACE)
                await asyncio.to_thread(outside.assert_nothing_is_left)
        finally:
            await asyncio.to_thread(fleet.stop)
            await bus.aclose()
        prove_drawn(fed_drawn, drawn_client, options.seed, outside)
        prove_fund_load(fed_lines, fund_client, options)
        runs = len(fed_drawn.traces) + len(fed_lines.traces)
        assert (outside.terminals(), outside.told()) == (runs, runs), "each run has one terminal, told once"
        return Figures(
            runs_drawn=len(fed_drawn.traces),
            runs_fund_load=len(fed_lines.traces),
            entries=outside.entries(),
            seconds=seconds,
            kills=fleet.kills,
            pauses=fleet.pauses,
            fenced=fleet.fenced,
            largest_wait_s=max(fed_drawn.largest_wait_s, fed_lines.largest_wait_s),
        )


async def _under_fire(
    fleet: Fleet, drawn_client: Client, fund_client: Client, options: Options, began_s: float
) -> tuple[Fed, Fed]:
    done, until_s = asyncio.Event(), began_s + options.seconds
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fleet.strike_at_random(done))
        entries = (entry(options.seed, number) for number in count())
        drawn = tasks.create_task(feed(drawn_client, entries, until_s, steer=steer))
        lines = tasks.create_task(feed(fund_client, map(read_line, _lines(options)), until_s))
        fed = (await drawn, await lines)
        done.set()
    return fed


async def steer(client: Client, number: int, trace_id: str) -> None:
    """Give a run of the drawn pipe what it waits for, sooner or later: its signal, or its end."""
    if is_cancelled(number):
        await asyncio.sleep(steered_after_s(number))
        assert await client.cancel(trace_id), "nothing else ends this run"
    elif is_signalled(number):
        await asyncio.sleep(steered_after_s(number))
        assert await client.signal(trace_id, SIGNAL, Go(number)), "it waits for this"


def _lines(options: Options) -> Iterator[str]:
    return iter(generate(options.lines, options.seed))


def prove_drawn(fed: Fed, client: Client, seed: int, outside: Outside) -> None:
    """Check every answer of the drawn pipe, and the sums that its keyed nodes remember."""
    expected = prove_outcomes(fed, client, seed)
    letters, failed = outside.dead_letters(), expected.outcomes.count(FAILED)
    assert letters == failed, f"a dead letter for each run that failed: {letters} for {failed}"
    nodes = {node for node, _ in (*expected.sums, *expected.ingress)}
    found = {lane: sums for node in nodes for lane, sums in outside.sums(node).items()}
    assert found == {**expected.sums, **expected.ingress}, "the keyed sums are exact"


def prove_outcomes(fed: Fed, client: Client, seed: int) -> Expected:
    """Check every answer of the drawn pipe; gives what was expected."""
    expected: Expected = expect(draw(seed), (entry(seed, number) for number in range(len(fed.traces))))
    wrong = [
        (number, outcome, awaited)
        for number, awaited in enumerate(expected.outcomes)
        if (outcome := _outcome(client, fed.traces[number], fed.terminals[number])) != awaited
    ]
    assert wrong == [], f"{len(wrong)} answers are wrong, the first (run, is, should be): {wrong[:3]}"
    return expected


def prove_fund_load(fed: Fed, client: Client, options: Options) -> None:
    """Check every answer of the fund-load pipe against the reference."""
    lines = generate(options.lines, options.seed)[: len(fed.traces)]
    verdicts = judge_all(lines, experiment=False)
    answers = [client.result(trace, fed.terminals[number]) for number, trace in enumerate(fed.traces)]
    assert [(each.id, each.customer_id, each.accepted) for each in answers] == [
        (each.id, each.customer_id, each.accepted) for each in verdicts
    ]


def _outcome(client: Client, trace: str, terminal: Terminal) -> Outcome:
    if terminal.state is RunState.FAILED:
        return FAILED if failure_of(terminal).kind == "step" else str(failure_of(terminal))
    if terminal.state is RunState.CANCELLED:
        return CANCELLED
    result = client.result(trace, terminal)
    return DROPPED if result is None else int(result.value)
