import pytest

from headrace_gateway.asked import Preference, preference_of, traceparent_of


@pytest.mark.parametrize(
    ("headers", "preference"),
    [
        ([], Preference()),
        (["wait=5"], Preference(5.0)),
        (["respond-async", "wait=5"], Preference(5.0, is_async=True)),
        (['Respond-Async; x=y, WAIT="7" ; z, handling=lenient'], Preference(7.0, is_async=True)),
        (["wait=5, wait=9"], Preference(5.0)),
        (["wait=-1"], Preference()),
        (["wait=1.5"], Preference()),
        (["wait=²"], Preference()),
        (["wait"], Preference()),
    ],
)
def test_preferences_are_read_and_what_is_malformed_is_ignored(headers: list[str], preference: Preference) -> None:
    assert preference_of(headers) == preference


@pytest.mark.parametrize("header", [None, "", "00-x", f"00-{'A' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-01-x"])
def test_a_malformed_trace_context_is_dropped(header: str | None) -> None:
    assert traceparent_of(header) == ""
