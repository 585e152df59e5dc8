import pytest

from headrace.errors import SettingsError
from headrace.settings.sources import read_settings
from headrace_supervisor.settings import SupervisorSettings, counts_of

GROUPS = ["intake", "decisions"]


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ("", (1, 1)),
        ("3", (3, 3)),
        ("decisions=2", (1, 2)),
        ("3, decisions=2", (3, 2)),
        ("decisions=2,4,intake=5,decisions=6", (5, 6)),
    ],
)
def test_workers_are_counted_for_every_group_or_for_one(given: str, counts: tuple[int, int]) -> None:
    settings = read_settings(SupervisorSettings, {"workers": given})
    assert tuple(counts_of(settings.workers, GROUPS).values()) == counts


def test_a_group_that_is_not_there_is_refused_with_those_that_are() -> None:
    settings = read_settings(SupervisorSettings, {"workers": "decision=2"})
    with pytest.raises(SettingsError) as refused:
        counts_of(settings.workers, GROUPS)
    assert str(refused.value) == (
        "setting 'workers' names group 'decision', and there are: intake, decisions; did you mean 'decisions'?"
    )


@pytest.mark.parametrize("given", ["0", "many", "intake=", "-1"])
def test_what_is_no_count_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="setting 'workers' is malformed"):
        read_settings(SupervisorSettings, {"workers": given})
