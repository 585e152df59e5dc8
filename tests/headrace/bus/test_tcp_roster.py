"""The tcp bus keeps the roster's contract."""

from contextlib import AbstractAsyncContextManager

from headrace.bus.protocol import Bus
from headrace.testing.roster_contract import RosterContract
from headrace.testing.tcp_profile import tcp_profile


class TestTcpBus(RosterContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        return tcp_profile()
