"""Every key of the Redis bus; no other module spells one.

All keys of a run share the hash tag `{namespace:partition}`, so a commit is atomic on Redis Cluster too.

| key | type | holds | expires |
| --- | --- | --- | --- |
| `stream:<group>` | stream | the group's entries; consumer group `workers` | never; a commit deletes its entry |
| `dead:<group>` | stream | dead letters | never; an operator purges |
| `scheduled:<group>` | sorted set | items by the millisecond they are due | never; promotion removes |
| `run:<trace_id>` | hash | the run's record | after the retention, from when the run ended and drained |
| `joins:<trace_id>` | hash | what waits at joins or for signals, what nodes remember | deleted with the run's end |
| `events:<trace_id>` | stream | the events of a run that keeps them, by number | as the run's record |
| `lane:<lane>` | hash | a lane: last ticket, state, what is parked | empty: at once, or with state after `state_ttl` |
| `tickets:<lane>` | sorted set | the lane's unfinished tickets | as its lane |
| `replies` | stream | terminal events, with one consumer group `coordinators` | never; delivery deletes |
| `spill:<group>:<trace_id>:<name>` | list | outputs of its hop that one call cannot hold | once recorded |
| `deadlines` | sorted set | open runs by the millisecond they expire | never; a run's end removes |
| `admitted` | hash | runs started with a bound on the open ones, and those of them that ended, by pipe | never |
| `abandoned` | set | runs that ended other than completed and have work under way | never; the last work removes |
| `control` | stream | such runs, as they end, for those who listen | entries after two minutes |
| `listeners` | hash | who listens, how far each has heard, and when it said so | a minute after the last word |
| `workers` | hash | who works, for which group, and when it said so | a minute after the last word |
| `paused` | hash | groups whose workers take nothing, and since when | never; resuming removes |
| `waiters` | hash | inboxes by trace_id | never; delivery removes |
| `replied` | string | how many terminal events commits have put into inboxes themselves, past `replies` | never |
| `epoch` | string | tells a server that lost everything from one that did not | never |
| `inbox:<name>` | stream | terminal events for one waiting process | an hour after the last one |

A `<group>` is `pipe.group`, a `<lane>` is `pipe.node.key`. `workers` and `paused` are in the first partition alone.

The keys of a channel share the hash tag `{namespace:channel:<name>}`. All go an hour after the last word about it.

| key | type | holds |
| --- | --- | --- |
| `messages` | stream | messages that nobody took yet |
| `returned` | list | messages of receivers that died, to be taken first |
| `held` | hash | what each receiver took and has not settled, each sender's last number, who waits |
| `senders`, `receivers` | sorted set | ends by the millisecond their lease runs out |
| `news`, `room` | stream | one entry: when receivers, or senders, last had a reason to ask again |
"""


class Keys:
    """Spells the keys of one partition.

    Args:
        namespace: Sets deployments that share a server apart.
        partition: The partition's number; or a pattern of numbers, to spell patterns of keys.
    """

    def __init__(self, namespace: str, partition: int | str) -> None:
        self._tag = f"{{{namespace}:{partition}}}"
        self.anything = f"{self._tag}:*"  # a pattern of all keys of the partition
        self.replies = f"{self._tag}:replies"
        self.waiters = f"{self._tag}:waiters"
        self.deadlines = f"{self._tag}:deadlines"
        self.admitted = f"{self._tag}:admitted"
        self.abandoned = f"{self._tag}:abandoned"
        self.control = f"{self._tag}:control"
        self.listeners = f"{self._tag}:listeners"
        self.workers = f"{self._tag}:workers"
        self.paused = f"{self._tag}:paused"
        self.replied = f"{self._tag}:replied"
        self.epoch = f"{self._tag}:epoch"

    def stream(self, group: str) -> str:
        """The group's stream."""
        return f"{self._tag}:stream:{group}"

    def dead(self, group: str) -> str:
        """The group's dead letters."""
        return f"{self._tag}:dead:{group}"

    def scheduled(self, group: str) -> str:
        """The group's scheduled items."""
        return f"{self._tag}:scheduled:{group}"

    def run(self, trace_id: str) -> tuple[str, str]:
        """A run's record, and what it keeps aside."""
        return f"{self._tag}:run:{trace_id}", f"{self._tag}:joins:{trace_id}"

    def events(self, trace_id: str) -> str:
        """A run's events."""
        return f"{self._tag}:events:{trace_id}"

    def spill(self, group: str, trace_id: str, name: str) -> str:
        """A list of outputs of the group's that are yet to be recorded."""
        return f"{self._tag}:spill:{group}:{trace_id}:{name}"

    def lane(self, lane: str, group: str) -> tuple[str, str, str]:
        """A lane, its tickets, and the stream that it feeds."""
        return f"{self._tag}:lane:{lane}", f"{self._tag}:tickets:{lane}", self.stream(group)

    def inbox(self, name: str) -> str:
        """The inbox of one waiting process."""
        return f"{self._tag}:inbox:{name}"


class ChannelKeys:
    """Spells the keys of one channel.

    Attributes:
        all: As the scripts number them.
        news: What receivers wait at.
        room: What senders wait at.
    """

    def __init__(self, namespace: str, channel: str) -> None:
        tag = f"{{{namespace}:channel:{channel}}}"
        kinds = ("messages", "returned", "held", "senders", "receivers", "news", "room")
        self.all = tuple(f"{tag}:{kind}" for kind in kinds)
        *_, self.news, self.room = self.all
