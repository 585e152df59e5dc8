"""The orders example: a fan-out and its gather, a join with an optional part, an approval by a signal."""

from examples.orders.pipe import pipe

__all__ = ["pipe"]
