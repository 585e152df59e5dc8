"""The messages of the orders example; amounts are in cents."""

from msgspec import Struct


class Line(Struct, frozen=True):
    """So many of one article."""

    article: str
    quantity: int


class Order(Struct, frozen=True):
    """What a customer asks for; a run starts from it."""

    id: str
    customer: str
    lines: tuple[Line, ...]


class Item(Struct, frozen=True):
    """A line on its way to its price."""

    article: str
    quantity: int


class Priced(Struct, frozen=True):
    """A line with its price."""

    article: str
    cents: int


class OutOfStock(Struct, frozen=True):
    """A line that cannot be delivered."""

    article: str


class Total(Struct, frozen=True):
    """What can be delivered, in the order of the lines."""

    articles: tuple[str, ...]
    cents: int


class Screened(Struct, frozen=True):
    """How far the customer is trusted."""

    customer: str
    limit_cents: int


class Discount(Struct, frozen=True):
    """A good customer's discount."""

    percent: int


class Large(Struct, frozen=True):
    """An order that a person must approve."""

    articles: tuple[str, ...]
    cents: int


class Approval(Struct, frozen=True):
    """What that person says: the signal `approval`."""

    granted: bool


class Receipt(Struct, frozen=True):
    """The answer."""

    articles: tuple[str, ...]
    cents: int


class Declined(Struct, frozen=True):
    """The answer to an order that nobody approved."""

    cents: int
