"""The one payload of all cases: 200 bytes of JSON."""

from typing import Any

from msgspec import Struct


class Order(Struct):
    """What is sent, and what is answered."""

    id: int
    customer: str
    amount: float
    currency: str
    express: bool
    items: list[str]
    note: str


ORDER: dict[str, Any] = {
    "id": 123456,
    "customer": "customer-000042",
    "amount": 1234.56,
    "currency": "EUR",
    "express": True,
    "items": ["tea", "milk", "sugar", "bread"],
    "note": "leave it at the door, please; the dog is friendly, I think",
}
TYPED = Order(**ORDER)
SIZE_BYTES = 200
