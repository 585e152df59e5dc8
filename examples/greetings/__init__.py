"""Hello world."""

from examples.greetings.hello import pipe

__all__ = ["pipe"]
