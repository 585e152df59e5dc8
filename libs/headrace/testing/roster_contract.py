"""The part of the bus contract about who works, and which groups are paused."""

from headrace.bus.protocol import Presence
from headrace.testing.bus_contract import IN, NEXT, BusContract

ONE = Presence("one", IN, "here", 7, 3, 16)
TWO = Presence("two", NEXT, "there", 8, is_resting=True)
LONG_S = 30.0


class RosterContract(BusContract):
    """What every bus promises of its roster, beside the rest."""

    async def test_who_attends_is_present_as_it_said_last_until_it_departs(self) -> None:
        async with self.open_bus() as bus:
            assert await bus.present(within_s=LONG_S) == []
            for presence in (TWO, Presence("one", IN), ONE):
                assert not await bus.attend(presence)
            assert await bus.present(within_s=LONG_S) == [ONE, TWO]
            assert await bus.present(within_s=-1) == []
            for _ in range(2):
                await bus.depart("one")
            assert await bus.present(within_s=LONG_S) == [TWO]

    async def test_a_paused_groups_workers_hear_of_it_until_it_is_resumed(self) -> None:
        async with self.open_bus() as bus:
            assert [await bus.pause(IN), await bus.pause(IN)] == [True, False]
            assert [await bus.attend(ONE), await bus.attend(TWO)] == [True, False]
            assert [await bus.resume(IN), await bus.resume(IN)] == [True, False]
            assert [await bus.attend(ONE), await bus.attend(TWO)] == [False, False]
