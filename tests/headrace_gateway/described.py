"""A pipe with something of everything that OpenAPI is to describe: nested types, bounds, two results, a signal."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from headrace.graph.options import Signal, Suspend
from headrace.graph.pipe import Pipe

pipe = Pipe("described")


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Line(Struct):
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    count: Annotated[int, Meta(ge=1, le=1000)]


class Order(Struct, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(max_length=5)]
    size: Size = Size.SMALL
    due: Annotated[datetime, Meta(tz=True)] | None = None
    kind: Literal["gift", "plain"] = "plain"


class Bill(Struct):
    total: int


class Refused(Struct):
    why: str


class Approval(Struct):
    by: str


@pipe.node
async def bill(order: Order, approval: Signal[Approval]) -> Bill | Refused | Suspend:
    if not order.lines:
        return Refused("nothing is ordered")
    if order.kind == "gift" and approval is None:
        return Suspend("approval")
    return Bill(sum(line.count for line in order.lines))
