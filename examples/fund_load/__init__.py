"""The fund-load example: which attempts to load funds are accepted, under limits a day and a week."""

from examples.fund_load.pipe import experiment, pipe

__all__ = ["experiment", "pipe"]
