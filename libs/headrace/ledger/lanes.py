"""Lanes: envelopes of one key run one at a time, in ticket order. Pure; called only by `headrace.ledger.algebra`."""

from headrace.ledger.state import Append, Effect, Idle, Lane, Ledger
from headrace.ledger.values import Entry, Item


def take_ticket(ledger: Ledger, lane_id: str, group: str) -> int:
    """Take the next place in a lane."""
    lane = ledger.lanes.get(lane_id)
    if lane is None:
        lane = ledger.lanes[lane_id] = Lane(group=group)
    lane.last_ticket += 1
    lane.tickets[lane.last_ticket] = None
    return lane.last_ticket


def park(lane: Lane, item: Item) -> None:
    """Let an item wait at its place."""
    lane.parked[item.ticket] = item


def finish_ticket(lane: Lane, ticket: int) -> None:
    """Take a place out of a lane; the next may then be the head."""
    lane.tickets.pop(ticket, None)


def give_back(ledger: Ledger, lane_id: str, ticket: int, effects: list[Effect]) -> None:
    """Give back a ticket that will not be used, and let the lane move on."""
    lane = ledger.lanes.get(lane_id)
    if lane is not None:
        finish_ticket(lane, ticket)
        pump(ledger, lane_id, effects)


def forget(ledger: Ledger, idle: Idle) -> None:
    """Forget a lane that has had nothing to do since."""
    lane = ledger.lanes.get(idle.lane)
    if lane is not None and lane.last_ticket == idle.last_ticket and not lane.tickets:
        del ledger.lanes[idle.lane]


def pump(ledger: Ledger, lane_id: str, effects: list[Effect], limit: int = 0) -> None:
    """Hand out the lane's head, and what stands ready right behind it, as one entry; or forget an empty lane.

    What has been handed out keeps its ticket until it is settled, so nothing behind it can be the head.
    """
    lane = ledger.lanes[lane_id]
    if not lane.tickets:
        if lane.state is None:
            del ledger.lanes[lane_id]
        elif lane.state_ttl_ms:
            effects.append(Idle(lane_id, lane.last_ticket, lane.state_ttl_ms))
        return
    items: list[Item] = []
    for ticket in lane.tickets:
        if ticket not in lane.parked or len(items) == (limit or ledger.lane_batch):
            break
        items.append(lane.parked.pop(ticket))
    if items:
        effects.append(Append(lane.group, Entry(tuple(items), lane_id, lane.state)))
