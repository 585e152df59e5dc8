"""Two pipes for the console: a shop with all kinds of nodes, some of whose payments fail, and one of a single node."""

from msgspec import Struct

from headrace.graph.options import Gather, Retry
from headrace.graph.pipe import Pipe

SHOP = "tests.headrace_gateway.console.shop:shop"
PINGS = "tests.headrace_gateway.console.shop:pings"


class Order(Struct):
    lines: int
    card: str = "good"


class Line(Struct):
    number: int
    card: str


class Priced(Struct):
    cents: int
    card: str


class Quote(Struct):
    cents: int
    card: str


class Approved(Struct):
    cents: int
    card: str


class Declined(Struct):
    reason: str


class Receipt(Struct):
    cents: int


class Address(Struct):
    street: str


class Parcel(Struct):
    cents: int
    street: str


class Apology(Struct):
    text: str


shop = Pipe("shop")


@shop.node(group="intake")
async def receive(order: Order) -> list[Line]:
    return [Line(number, order.card) for number in range(order.lines)]


@shop.node(group="intake")
async def locate(order: Order) -> Address:
    return Address(f"{order.lines} Mill Lane")


@shop.node(group="pricing")
async def price(line: Line) -> Priced:
    return Priced(line.number * 100, line.card)


@shop.node(group="pricing")
async def total(lines: Gather[Priced]) -> Quote:
    return Quote(sum(line.cents for line in lines), lines[0].card)


@shop.node(group="risk")
async def check(quote: Quote) -> Approved | Declined:
    return Declined("stolen card") if quote.card == "stolen" else Approved(quote.cents, quote.card)


@shop.node(group="billing", retry=Retry(attempts=2, backoff=0.01))
async def charge(approved: Approved) -> Receipt:
    if approved.card == "<b>broken</b>":
        raise ConnectionError("a secret in the text")
    return Receipt(approved.cents)


@shop.node(group="intake")
async def refuse(declined: Declined) -> Apology:
    return Apology(declined.reason)


@shop.node(group="shipping")
async def ship(receipt: Receipt, address: Address) -> Parcel:
    return Parcel(receipt.cents, address.street)


class Ping(Struct):
    number: int


class Pong(Struct):
    number: int


pings = Pipe("pings")


@pings.node
async def answer(ping: Ping) -> Pong:
    return Pong(ping.number)
