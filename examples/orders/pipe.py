"""The orders pipe.

    Order ─┬─ split ── price (each line) ── total (gathers) ─┐
           ├─ screen ────────────────────────────────────────┤ decide ─┬─ Receipt
           └─ favour (good customers only) ──────────────────┘         └─ approve (by a signal) ── Receipt | Declined

`headrace run examples.orders:pipe '{"id":"1","customer":"ada","lines":[{"article":"tea","quantity":2}]}'`
"""

from collections.abc import Iterator

from examples.orders.model import (
    Approval,
    Declined,
    Discount,
    Item,
    Large,
    Order,
    OutOfStock,
    Priced,
    Receipt,
    Screened,
    Total,
)
from headrace import Drop, Gather, Partial, Pipe, Signal, Suspend

PRICES = {"tea": 450, "coffee": 700, "samovar": 45_000}
LIMIT_CENTS = 50_000
GOOD_CUSTOMERS = {"ada": 10, "grace": 5}

pipe = Pipe("orders")


@pipe.node(group="intake")
async def split(order: Order) -> Iterator[Item]:
    """Send every line to its price."""
    return iter([Item(line.article, line.quantity) for line in order.lines])


@pipe.node(group="prices")
async def price(item: Item) -> Priced | OutOfStock:
    """Price a line, if there is such an article."""
    if item.article not in PRICES:
        return OutOfStock(item.article)
    return Priced(item.article, PRICES[item.article] * item.quantity)


@pipe.node(group="prices")
async def back_order(line: OutOfStock) -> Drop:  # noqa: ARG001 - a real one would tell the warehouse
    """End the branch of a line that cannot be delivered."""
    return Drop()


@pipe.node(group="prices")
async def total(lines: Gather[Priced]) -> Total:
    """Add up what can be delivered."""
    return Total(tuple(line.article for line in lines), sum(line.cents for line in lines))


@pipe.node(group="risk")
async def screen(order: Order) -> Screened:
    """Say how far the customer is trusted."""
    return Screened(order.customer, LIMIT_CENTS)


@pipe.node(group="risk")
async def favour(order: Order) -> Discount | Drop:
    """Give good customers their discount."""
    percent = GOOD_CUSTOMERS.get(order.customer)
    return Drop() if percent is None else Discount(percent)


@pipe.node(group="intake")
async def decide(whole: Total, screened: Screened, discount: Partial[Discount]) -> Receipt | Large:
    """Take the order, or ask a person."""
    cents = whole.cents * (100 - (discount.percent if discount else 0)) // 100
    if cents > screened.limit_cents:
        return Large(whole.articles, cents)
    return Receipt(whole.articles, cents)


@pipe.node(group="intake")
async def approve(large: Large, approval: Signal[Approval]) -> Receipt | Declined | Suspend:
    """Wait until somebody has said yes or no."""
    if approval is None:
        return Suspend(until="approval")
    return Receipt(large.articles, large.cents) if approval.granted else Declined(large.cents)
