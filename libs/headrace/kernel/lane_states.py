"""States of lanes in hand: what this process saved last of a hot lane needs no decoding when it comes back."""

from collections import OrderedDict

from headrace.graph.plan import Keyed
from headrace.kernel.admit import Admission
from headrace.ledger.values import Entry

_REMEMBERED = 64  # lanes whose decoded state is kept: hot ones come back at once, cold ones cost a decode


class LaneStates:
    """Remembers the states of the lanes that this process saved last."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._states: OrderedDict[str, tuple[bytes, object]] = OrderedDict()

    def load(self, entry: Entry, keyed: Keyed | None) -> object:
        """Decode the key's state, unless it is just what this process saved last; raises as `Admission.load_state`."""
        known = self._states.pop(entry.lane, None)
        if known is not None and known[0] == entry.state:
            return known[1]
        return self._admission.load_state(keyed, entry.state)

    def saved(self, lane: str, stored: bytes, state: object) -> None:
        """Remember what was saved."""
        self._states[lane] = (stored, state)
        if len(self._states) > _REMEMBERED:
            self._states.popitem(last=False)
