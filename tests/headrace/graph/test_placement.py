"""Placement files: what they say, and what is said of a wrong one."""

import pytest

from headrace.errors import SettingsError
from headrace.graph.placement import Placement, parse_placement


def test_a_file_gives_the_group_of_each_node() -> None:
    text = """
    default = "main"
    [groups]
    intake = ["parse"]
    decisions = ["decide", "answer"]
    """

    assert parse_placement(text) == Placement(
        groups={"parse": "intake", "decide": "decisions", "answer": "decisions"}, default="main"
    )


def test_a_file_without_default_leaves_no_node_to_chance() -> None:
    assert parse_placement('[groups]\nintake = ["parse"]', "toml") == Placement(
        groups={"parse": "intake"}, default=None
    )
    assert parse_placement("") == Placement()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groups = 5", "setting 'placement.groups' must be a table from group to a list of nodes"),
        (
            '[groups]\na = "parse"',
            "setting 'placement.groups.a' must be a list of node names, such as [\"parse\"]",
        ),
        ("[groups]\na = []", "setting 'placement.groups.a' must be a list of node names, such as [\"parse\"]"),
        ('[groups]\na = ["x", 1]', "setting 'placement.groups.a' must be a list of node names, such as [\"parse\"]"),
        (
            '[groups]\na = ["x"]\nb = ["x"]',
            "setting 'placement.groups.b' names node 'x', which is in group 'a' too",
        ),
        ("default = 1", "setting 'placement.default' must be the name of a group"),
        ("[group]\n", "setting 'placement.group' is not known; did you mean 'groups'?"),
    ],
)
def test_a_mistake_in_the_file_names_the_key_and_the_problem(text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_placement(text)

    assert str(caught.value) == expected


def test_text_that_is_no_toml_is_refused_with_the_place() -> None:
    with pytest.raises(SettingsError, match=r"setting 'placement' is no TOML: .*line 1"):
        parse_placement("a = = b")


def test_another_format_is_refused() -> None:
    with pytest.raises(SettingsError, match="setting 'placement' has format 'yaml'; only 'toml' is known"):
        parse_placement("", "yaml")  # type: ignore[arg-type]
