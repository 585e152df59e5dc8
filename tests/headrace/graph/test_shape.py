"""The shape of a graph: entries, islands, joins that starve, cycles."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.options import First, Gather, Partial, To
from headrace.graph.pipe import Pipe


class A(Struct):
    n: int


class B(Struct):
    n: int


class C(Struct):
    n: int


class D(Struct):
    n: int


def test_an_empty_pipe_is_a_mistake() -> None:
    assert mistakes_of(Pipe("empty")) == ["the pipe has no nodes; put @pipe.node on a function"]


def test_two_types_to_start_from_are_a_mistake() -> None:
    pipe = Pipe("two")

    @pipe.node
    def one(a: A) -> C: ...

    @pipe.node
    def two(b: B) -> C: ...

    assert mistakes_of(pipe) == ["a run could start from any of 'A', 'B'; give entry=, and have nodes send the rest"]


def test_a_join_of_two_types_that_nobody_sends_has_no_single_entry() -> None:
    pipe = Pipe("two")

    @pipe.node
    def one(a: A, b: B) -> C: ...

    assert mistakes_of(pipe) == ["a run could start from any of 'A', 'B'; give entry=, and have nodes send the rest"]


def test_a_loop_from_the_start_needs_an_entry() -> None:
    pipe = Pipe("loop")

    @pipe.node(max_visits=2)
    def one(a: A) -> A: ...

    assert mistakes_of(pipe) == ["every type that a node takes is sent by a node, so nothing starts a run; give entry="]


def test_an_entry_that_no_node_takes_is_a_mistake() -> None:
    pipe = Pipe("wrong", entry=D)

    @pipe.node
    def one(a: A) -> B: ...

    assert mistakes_of(pipe) == ["no node takes the entry type 'D'; known: 'A'"]


def test_an_entry_that_is_no_message_is_a_mistake() -> None:
    pipe = Pipe("wrong", entry=int)

    @pipe.node
    def one(a: A) -> B: ...

    assert mistakes_of(pipe) == [
        "entry= is 'int', which is no message type; messages are a msgspec.Struct, a pydantic model or a dataclass"
    ]


def test_a_node_that_nothing_reaches_is_a_mistake() -> None:
    pipe = Pipe("island", entry=A)

    @pipe.node
    def one(a: A) -> B: ...

    @pipe.node
    def island(c: C) -> D: ...

    @pipe.node
    def behind(d: D) -> None: ...

    assert mistakes_of(pipe) == [
        "node 'island': nothing reaches it from the entry type 'A': no node before it sends 'C'",
        "node 'behind': nothing reaches it from the entry type 'A': no node before it sends 'D'",
    ]


def test_a_node_may_be_reached_by_to_alone() -> None:
    pipe = Pipe("sent", entry=A)

    @pipe.node
    def one(a: A) -> B | To: ...

    @pipe.node
    def island(c: C) -> D: ...

    assert pipe.compile().parents["island"] == ("one",)


def test_a_join_of_which_nobody_sends_a_slot_is_a_mistake_and_the_nodes_behind_it_are_not() -> None:
    pipe = Pipe("starved", entry=A)

    @pipe.node
    def join(a: A, b: B) -> C: ...

    @pipe.node
    def behind(c: C) -> D: ...

    assert mistakes_of(pipe) == ["node 'join': the join can never fire: nothing that runs before it sends 'B' for 'b'"]


def test_a_join_that_waits_for_what_comes_behind_it_is_a_mistake() -> None:
    pipe = Pipe("deadlock", entry=A)

    @pipe.node(max_visits=1)
    def join(a: A, b: B) -> C: ...

    @pipe.node
    def behind(c: C) -> B: ...

    assert mistakes_of(pipe) == ["node 'join': the join can never fire: nothing that runs before it sends 'B' for 'b'"]


def test_a_join_behind_a_starved_join_is_not_reported() -> None:
    pipe = Pipe("starved", entry=A)

    @pipe.node
    def second(a: A, c: C) -> D: ...

    @pipe.node
    def first(a: A, b: B) -> C: ...

    assert mistakes_of(pipe) == ["node 'first': the join can never fire: nothing that runs before it sends 'B' for 'b'"]


def test_a_cycle_without_a_bound_is_a_mistake() -> None:
    pipe = Pipe("loop", entry=A)

    @pipe.node
    def one(a: A) -> B: ...

    @pipe.node
    def two(b: B) -> C | D: ...

    @pipe.node
    def three(c: C) -> A: ...

    assert mistakes_of(pipe) == [
        "node 'one': the cycle one -> two -> three -> one has no bound; give max_visits= to one of its nodes"
    ]


def test_a_node_that_takes_what_it_sends_is_a_cycle() -> None:
    pipe = Pipe("loop", entry=A)

    @pipe.node
    def one(a: A) -> A | B: ...

    assert mistakes_of(pipe) == ["node 'one': the cycle one -> one has no bound; give max_visits= to one of its nodes"]


def test_a_bound_on_any_node_of_a_cycle_will_do() -> None:
    pipe = Pipe("loop", entry=A)

    @pipe.node
    def one(a: A) -> B: ...

    @pipe.node(max_visits=4)
    def two(b: B) -> A | C: ...

    assert pipe.compile().terminal_types == ("C",)


def test_a_second_cycle_that_shares_no_bounded_node_is_found() -> None:
    pipe = Pipe("loops", entry=A)

    @pipe.node(max_visits=4)
    def one(a: A) -> A | B: ...

    @pipe.node
    def two(b: B) -> C: ...

    @pipe.node
    def three(c: C) -> B | D: ...

    assert mistakes_of(pipe) == [
        "node 'two': the cycle two -> three -> two has no bound; give max_visits= to one of its nodes"
    ]


def test_the_type_that_nobody_sends_of_a_slot_of_several_is_the_entry() -> None:
    pipe = Pipe("loop")

    @pipe.node(max_visits=2)
    def one(it: First[A | B]) -> B: ...

    assert pipe.compile().entry_type == "A"


def test_a_slot_of_several_types_that_is_fed_is_no_entry() -> None:
    pipe = Pipe("fed")

    @pipe.node
    def one(a: A) -> B: ...

    @pipe.node
    def two(it: First[B | C]) -> D: ...

    assert pipe.compile().entry_type == "A"


def test_a_join_goes_on_without_its_partial_slots() -> None:
    pipe = Pipe("partial", entry=A)

    @pipe.node
    def join(a: A, d: Partial[D]) -> B: ...

    @pipe.node(max_visits=3)
    def behind(b: B) -> D | C: ...

    assert pipe.compile().terminal_types == ("C",)


def test_a_slot_that_stays_empty_for_ever_is_a_mistake() -> None:
    pipe = Pipe("empty", entry=A)

    @pipe.node
    def make(a: A) -> list[B]: ...

    @pipe.node
    def join(a: A, c: Partial[C]) -> None: ...

    @pipe.node
    def gather(b: Gather[B], d: Gather[D]) -> None: ...

    assert mistakes_of(pipe) == [
        "node 'join': 'c' stays empty for ever: nothing that runs before it sends 'C'",
        "node 'gather': 'd' stays empty for ever: nothing that runs before it sends 'D'",
    ]


def test_a_join_that_lacks_what_it_needs_is_not_saved_by_a_partial_slot() -> None:
    pipe = Pipe("starved", entry=A)

    @pipe.node
    def join(a: Partial[A], b: First[B | D]) -> C: ...

    assert mistakes_of(pipe) == [
        "node 'join': the join can never fire: nothing that runs before it sends 'B | D' for 'b'"
    ]
