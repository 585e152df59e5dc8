"""The wording of mistakes: one line, once each, in the order of the code, with the nearest right name."""

from string import Formatter

from headrace.graph.mistakes import _TEXTS, Mistake, MistakeKind, Where, render, render_all, suggest

HERE = Where(node="price", file="app.py", line=12)


def test_every_kind_has_a_text() -> None:
    assert set(_TEXTS) == set(MistakeKind)


def test_a_mistake_is_one_line_whatever_its_facts_hold() -> None:
    facts = {"type": "Raw", "why": "two\n   lines"}

    assert render(Mistake(kind=MistakeKind.UNSERIALISABLE, where=HERE, facts=facts)) == (
        "app.py:12: node 'price': message type 'Raw' has no form on the wire: two lines"
    )


def test_every_text_is_worded_with_its_facts() -> None:
    for kind, text in _TEXTS.items():
        facts = {name: "it" for _, name, _, _ in Formatter().parse(text) if name}
        assert "{it}" not in render(Mistake(kind=kind, where=HERE, facts=facts))


def test_mistakes_are_in_the_order_of_the_code_and_each_is_told_once() -> None:
    late = Mistake(kind=MistakeKind.NO_NODES, where=Where(file="app.py", line=30))
    early = Mistake(kind=MistakeKind.MISSING_RETURN, where=HERE)

    assert render_all([late, early, late]) == (render(early), render(late))


def test_the_nearest_name_is_suggested_or_a_few_are_listed() -> None:
    assert suggest("prcie", ["price", "ship"]) == "; did you mean 'price'?"
    assert suggest("zzz", ["ship", "price"]) == "; known: 'price', 'ship'"
    assert suggest("zzz", "abcdefgh") == "; known: 'a', 'b', 'c', 'd', 'e', 'f', ..."
    assert suggest("zzz", []) == ""
