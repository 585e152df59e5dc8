"""Who sees hops begin and end: the contract between the runner and what measures or traces it."""

from contextlib import AbstractContextManager
from typing import Protocol

from headrace.kernel.work import Work
from headrace.ledger.values import Delivery


class Witness(Protocol):
    """Sees the hops of a worker; it runs on the event loop, so it must not block."""

    def hop(self, work: Work, delivery: Delivery, /) -> AbstractContextManager[Work]:
        """See one item run.

        Yields:
            What is run in place of it: the same work, or with other headers, which its outputs then descend from.
        """
        ...
