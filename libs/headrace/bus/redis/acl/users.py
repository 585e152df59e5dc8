"""The users of one pipe's deployment, and what each needs: computed from the plan, so a new edge is a new line.

A script runs with the rights of who calls it, and each command in it is checked. So every user may hand any key of the
namespace to a script, which by itself opens none.

| user | reads and changes | appends to |
| --- | --- | --- |
| `worker-<group>` | its stream, schedule, lanes; runs, joins, channels | successors, dead letters, answers, events |
| `gateway` | runs, joins, waiters, inboxes, events; lanes of tickets | streams that runs and signals enter by |
| `reply` | replies, waiters | inboxes |
| `keda` | the lengths of the groups' streams, no more | |
| `operator` | all of the namespace, by no command that the server calls dangerous | |

A user is named `<namespace>.<service>`. Runs and joins are those of the whole namespace, so under ACLs a namespace
holds one pipe.
"""

from collections.abc import Callable, Iterable

from headrace.bus.redis.acl.user import Access, Rule, User
from headrace.bus.redis.keys import ChannelKeys, Keys
from headrace.graph.edges import Edges, edges_of, ingress_edges
from headrace.graph.plan import ExecutionPlan
from headrace.wire.trace import NO_RUN

OPERATOR = "operator"
KEDA = "keda"
GATEWAY = "gateway"
REPLY = "reply"

_SCRIPTS = ("eval", "evalsha")
_TIME = ("+time", "+ping")
_TRANSACTIONS = ("+multi", "+exec", "+discard", "+watch", "+unwatch")  # what looks are made of that no write may split
_CLUSTER = ("+cluster|slots", "+asking", "+client|id", "+client|unblock")
_CONSUME = (
    *("xreadgroup", "xack", "xdel", "xautoclaim", "xpending"),
    *("xgroup|create", "exists"),
)  # what a consumer group's reader does, and `claim.lua` for it
_EPOCH = ("get", "set", "exists")  # by it services see that data was lost, and which server has which partition
_LEVEL = ("xlen", "xrange")  # how much stands in a stream, and since when
_RUNS = (
    *("hget", "hmget", "hset", "hsetnx", "hdel", "hexists", "hincrby"),
    *("exists", "pexpire", "unlink"),
)
_LANES = ("hget", "hset", "hdel", "hincrby", "del", "persist", "pexpire", "zadd", "zrange", "zrem")
_CHANNELS = (
    *("zadd", "zcard", "zrem", "zrangebyscore", "hget", "hset", "hdel", "hexists", "llen", "lpop", "lpush"),
    *("xadd", "xdel", "xlen", "xrange", "xread", "xrevrange", "del", "pexpire"),
)
_SPILLS = ("rpush", "expire", "exists", "persist", "llen", "lrange", "ltrim", "unlink")


def worker(group: str) -> str:
    """Name the service that consumes a group."""
    return f"worker-{group}"


def users_of(
    plan: ExecutionPlan,
    namespace: str,
    *,
    partitions: int = 1,
    channels: Iterable[str] = (),
    on_cluster: bool = False,
) -> tuple[User, ...]:
    """Give the users of a pipe's services, and an operator's.

    Args:
        partitions: As the deployment's.
        channels: Those that nodes send or receive by, which no graph shows: names, or patterns of names.
        on_cluster: Add what clients of a cluster ask.
    """
    places = _Places(namespace, partitions)
    keyless = (*_TIME, *(_CLUSTER if on_cluster else ()))
    shared = _of_channels(namespace, channels)
    rules = {
        GATEWAY: _gateway(plan, places),
        REPLY: _reply(places),
        **{worker(group): (*_worker(plan, group, places), *shared) for group in plan.groups},
        KEDA: (Rule(("xlen",), places.streams(plan, plan.groups), Access.READ),),
    }
    services = tuple(User(f"{namespace}.{service}", keyless, found) for service, found in rules.items())
    whole = ("+@read", "+@write", "-@dangerous", "+info", "+scan", *_TRANSACTIONS, *(f"~{key}" for key in places.all))
    scripts = tuple(f"+{command}" for command in _SCRIPTS)
    return (*services, User(f"{namespace}.{OPERATOR}", (*keyless, *whole, *scripts)))


class _Places:
    """Spells patterns of keys in all partitions."""

    def __init__(self, namespace: str, partitions: int) -> None:
        self.keys = tuple(Keys(namespace, number) for number in _numbers(partitions))
        self.all = self.each(lambda keys: keys.anything)

    def each(self, spell: Callable[[Keys], str]) -> tuple[str, ...]:
        return tuple(spell(keys) for keys in self.keys)

    def streams(self, plan: ExecutionPlan, groups: Iterable[str]) -> tuple[str, ...]:
        return tuple(keys.stream(plan.stream(group)) for keys in self.keys for group in groups)

    def schedules(self, plan: ExecutionPlan, groups: Iterable[str]) -> tuple[str, ...]:
        return tuple(keys.scheduled(plan.stream(group)) for keys in self.keys for group in groups)

    def lanes(self, plan: ExecutionPlan, nodes: Iterable[str]) -> tuple[str, ...]:
        return tuple(key for keys in self.keys for node in nodes for key in keys.lane(f"{plan.pipe}.{node}.*", "")[:2])

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(key for keys in self.keys for key in keys.run("*"))


def _numbers(partitions: int) -> tuple[str, ...]:
    """Give patterns of the partitions' numbers: one for each count of digits, exact where there is one partition."""
    return tuple("[0-9]" * digits for digits in range(1, len(str(partitions - 1)) + 1)) if partitions > 1 else ("0",)


def _worker(plan: ExecutionPlan, group: str, places: _Places) -> tuple[Rule, ...]:
    edges, stream = edges_of(plan, group), plan.stream(group)
    own = places.streams(plan, (group,))
    deadlines = ("zrem", "zrangebyscore") if edges.may_end_any else ("zrem",)
    return (
        Rule(_SCRIPTS, places.all),
        Rule((*_CONSUME, "xclaim", "xinfo|consumers", "xgroup|delconsumer", *_LEVEL), own),
        Rule(("xlen",), places.each(lambda keys: keys.dead(stream)), Access.READ),
        Rule(("xadd",), places.each(lambda keys: keys.dead(stream)), Access.WRITE),
        Rule(("zadd", "zrem", "zrangebyscore"), places.schedules(plan, (group,))),
        Rule(_SPILLS, places.each(lambda keys: keys.spill(stream, "*", "*"))),
        Rule(deadlines, places.each(lambda keys: keys.deadlines)),
        Rule(("hgetall", "hdel", "hset", "pexpire"), places.each(lambda keys: keys.listeners)),
        Rule(("hgetall", "hdel", "hset", "pexpire"), places.each(lambda keys: keys.workers)),
        Rule(("hexists",), places.each(lambda keys: keys.paused), Access.READ),
        Rule(("srem", "smembers"), places.each(lambda keys: keys.abandoned)),
        Rule(("xread",), places.each(lambda keys: keys.control), Access.READ),
        # a commit that ends a run answers those of its waiters whose inboxes it knows
        Rule(("hget", "hdel"), places.each(lambda keys: keys.waiters)),
        Rule(("xadd", "pexpire"), places.each(lambda keys: keys.inbox("*")), Access.WRITE),
        Rule(("incrby",), places.each(lambda keys: keys.replied)),
        *_changes_of_runs(plan, edges, places),
    )


def _gateway(plan: ExecutionPlan, places: _Places) -> tuple[Rule, ...]:
    return (
        Rule(_SCRIPTS, places.all),
        Rule(("hget", "hset", "hdel"), places.each(lambda keys: keys.waiters)),
        Rule(("xread", "xdel"), places.each(lambda keys: keys.inbox("*"))),
        Rule(("xread",), places.each(lambda keys: keys.events("*")), Access.READ),
        Rule(("zadd", "zrem"), places.each(lambda keys: keys.deadlines)),
        Rule(("hmget",), places.each(lambda keys: keys.admitted), Access.READ),
        Rule(("hgetall",), places.each(lambda keys: keys.listeners), Access.READ),
        *_changes_of_runs(plan, ingress_edges(plan), places),
    )


def _reply(places: _Places) -> tuple[Rule, ...]:
    return (
        Rule(_SCRIPTS, places.all),
        Rule(_CONSUME, places.each(lambda keys: keys.replies)),
        Rule(("hmget", "hdel"), places.each(lambda keys: keys.waiters)),
        Rule(("xadd", "pexpire"), places.each(lambda keys: keys.inbox("*")), Access.WRITE),
        # by this it sees that the bus answers
        Rule(("hmget",), places.each(lambda keys: keys.run(NO_RUN)[0]), Access.READ),
        Rule(_EPOCH, places.each(lambda keys: keys.epoch)),
    )


def _of_channels(namespace: str, channels: Iterable[str]) -> tuple[Rule, ...]:
    return tuple(Rule((*_SCRIPTS, *_CHANNELS), ChannelKeys(namespace, channel).all) for channel in channels)


def _changes_of_runs(plan: ExecutionPlan, edges: Edges, places: _Places) -> tuple[Rule, ...]:
    """Give what whoever moves runs on needs: their records, where their work goes, and how they end."""
    ends = tuple(key for keys in places.keys for key in (keys.replies, keys.control))
    rules = (
        Rule(_RUNS, places.runs),
        Rule(("xadd",), places.streams(plan, edges.appends), Access.WRITE),
        Rule(("zadd",), places.schedules(plan, edges.alarms), Access.WRITE),
        Rule(_LANES, places.lanes(plan, edges.lanes)),
        Rule(("xadd",), ends, Access.WRITE),
        Rule(("hincrby",), places.each(lambda keys: keys.admitted)),
        Rule(("xadd", "pexpire"), places.each(lambda keys: keys.events("*")), Access.WRITE),
        Rule(("xrevrange",), places.each(lambda keys: keys.control), Access.READ),
        Rule(("sadd",), places.each(lambda keys: keys.abandoned), Access.WRITE),
        Rule(_EPOCH, places.each(lambda keys: keys.epoch)),
    )
    return tuple(rule for rule in rules if rule.keys)
