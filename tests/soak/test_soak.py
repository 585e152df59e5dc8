"""A short soak, and the parts of the proof that a soak needs to be believed."""

import pytest
from tests.soak.drawn import Kind, draw, entry, is_doomed
from tests.soak.expected import FAILED, expect
from tests.soak.one_machine import soak_up
from tests.soak.soak import Options, soak


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_short_soak_proves_every_run() -> None:
    figures = await soak(Options(seconds=8.0, workers=1, lines=1_000, seed=4))
    assert figures.kills >= 2
    assert figures.runs_drawn >= 64
    assert figures.runs_fund_load >= 64


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_short_soak_of_one_machine_proves_every_run() -> None:
    figures = await soak_up(Options(seconds=8.0, workers=1, lines=0, seed=4))
    assert figures.kills >= 2
    assert figures.runs >= 64


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_stage_is_drawn(seed: int) -> None:
    assert {stage.kind for stage in draw(seed)} == set(Kind)
    assert draw(seed) == draw(seed)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_expected_depends_on_every_run_before(seed: int) -> None:
    stages, entries = draw(seed), [entry(seed, number) for number in range(500)]
    whole, without_first = expect(stages, entries), expect(stages, entries[1:])
    assert whole.outcomes[1:] != without_first.outcomes
    assert whole.outcomes.count(FAILED) == sum(is_doomed(number) for number in range(500)) > 0
