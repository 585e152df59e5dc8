from contextlib import AbstractAsyncContextManager

from headrace.bus.protocol import Bus
from headrace.testing.event_contract import EventContract
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.load_contract import LoadContract
from headrace.testing.run_contract import RunContract
from headrace.testing.tcp_profile import tcp_profile


class TestTcpBus(LaneContract, JoinContract, LoadContract, RunContract, EventContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        return tcp_profile()
