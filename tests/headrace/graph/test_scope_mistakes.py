"""Gathers that nothing fans out to, and joins whose messages never meet."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.options import Gather, To
from headrace.graph.pipe import Pipe


class Cart(Struct):
    n: int


class Item(Struct):
    n: int


class Priced(Struct):
    n: int


class Stock(Struct):
    n: int


class Offer(Struct):
    n: int


def test_a_gather_without_a_fan_out_before_it_is_a_mistake() -> None:
    pipe = Pipe("flat")

    @pipe.node
    def pick(cart: Cart) -> Item: ...

    @pipe.node
    def total(items: Gather[Item]) -> Offer: ...

    assert mistakes_of(pipe) == [
        "node 'total': 'items' gathers, but 'Item' can come to it from outside of any fan-out; "
        "have a node before it yield, or return a list"
    ]


def test_one_way_to_a_gather_past_the_fan_out_is_a_mistake() -> None:
    pipe = Pipe("past")

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def pick(cart: Cart) -> Item: ...

    @pipe.node
    def total(items: Gather[Item]) -> Offer: ...

    (line,) = mistakes_of(pipe)

    assert line.startswith("node 'total': 'items' gathers, but 'Item' can come to it from outside of any fan-out")


def test_two_gathers_after_one_fan_out_are_a_mistake() -> None:
    pipe = Pipe("twice")

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def total(items: Gather[Item]) -> Priced: ...

    @pipe.node
    def again(priced: Gather[Priced]) -> Offer: ...

    (line,) = mistakes_of(pipe)

    assert line.startswith("node 'again': 'priced' gathers")


def test_a_gather_that_a_to_could_name_is_no_mistake() -> None:
    pipe = Pipe("named")

    @pipe.node
    def check(cart: Cart) -> Stock | To: ...

    @pipe.node
    def split(stock: Stock) -> list[Item]: ...

    @pipe.node
    def total(items: Gather[Item]) -> Offer: ...

    assert pipe.compile().nodes["split"].opens == ("total",)


def test_a_join_of_what_is_inside_of_a_fan_out_and_what_is_outside_is_a_mistake() -> None:
    pipe = Pipe("across", entry=Cart)

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def join(cart: Cart, item: Item) -> Priced: ...

    @pipe.node
    def total(priced: Gather[Priced]) -> Offer: ...

    assert mistakes_of(pipe)[0] == (
        "node 'join': its messages can never meet: 'cart' comes outside of it, 'item' comes in the fan-out of 'split'; "
        "gather what a fan-out sends, then join"
    )


def test_a_join_of_two_fan_outs_is_a_mistake() -> None:
    pipe = Pipe("across")

    @pipe.node
    def items(cart: Cart) -> list[Item]: ...

    @pipe.node
    def stocks(cart: Cart) -> list[Stock]: ...

    @pipe.node
    def join(item: Item, stock: Stock) -> Priced: ...

    @pipe.node
    def total(priced: Gather[Priced]) -> Offer: ...

    assert mistakes_of(pipe) == [
        "node 'join': its messages can never meet: 'item' comes in the fan-out of 'items', 'stock' comes in the "
        "fan-out of 'stocks'; gather what a fan-out sends, then join"
    ]


def test_a_join_within_a_fan_out_and_one_behind_the_gather_are_right() -> None:
    pipe = Pipe("right")

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def look(item: Item) -> Stock: ...

    @pipe.node
    def join(item: Item, stock: Stock) -> Priced: ...

    @pipe.node
    def total(priced: Gather[Priced]) -> Offer: ...

    @pipe.node
    def end(cart: Cart, offer: Offer) -> None: ...

    assert pipe.compile().nodes["split"].opens == ("total",)
