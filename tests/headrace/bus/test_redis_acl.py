"""The ACLs of a deployment: what each user may do is what its service does, and no more."""

import inspect
import re
from collections.abc import Iterator, Sequence

import pytest
from examples.fund_load.pipe import pipe as fund_load
from examples.orders.pipe import pipe as orders
from redis import Redis
from tests.support.acl import words
from tests.support.redis_server import RedisServer

from headrace import Pipe
from headrace.bus.redis import keys
from headrace.bus.redis.acl.user import Access, Rule, User
from headrace.bus.redis.acl.users import users_of
from headrace.bus.redis.scripts import source

CALL = re.compile(r"redis\.call\('([A-Z]+)'(?:, '(CREATE|DELCONSUMER|CONSUMERS)')?")
WORKER = (
    *("attend", "claim", "commit", "due", "end", "extend"),
    *("hear", "promote", "remember", "sweep", "tell", "unspill"),
)
SCRIPTS = {
    "worker-intake": WORKER,
    "worker-decisions": WORKER,
    "worker-answers": tuple(verb for verb in WORKER if verb != "end"),  # it expires no runs
    "gateway": ("submit", "watch", "unwatch", "end", "signal"),
    "reply": ("claim", "deliver"),
}
NEVER_COME_TO = {"worker-answers": {"zrange", "del"}}  # of lanes, of which none is ever its to free
PASSWORD = "0123456789abcdef" * 4


CHANNEL = ("channel_join", "channel_leave", "channel_put", "channel_take")


def user(service: str, *, partitions: int = 1, channels: Sequence[str] = ()) -> User:
    users = users_of(fund_load.compile(), "shop", partitions=partitions, channels=channels)
    return next(each for each in users if each.name == f"shop.{service}")


def test_a_user_is_spelled_as_a_line_of_an_acl_file() -> None:
    rules = (Rule(("xadd",), ("{a:0}:replies", "{a:0}:control"), Access.WRITE), Rule(("get",), ("{a:0}:epoch",)))
    made = User("a.reply", ("+time",), rules, (PASSWORD,))
    assert made.line() == (
        f"user a.reply reset on #{PASSWORD} +time (+xadd %W~{{a:0}}:replies %W~{{a:0}}:control) (+get ~{{a:0}}:epoch)"
    )
    assert made.line_of_redis_6() == (
        f"user a.reply reset on #{PASSWORD} +time +xadd +get ~{{a:0}}:replies ~{{a:0}}:control ~{{a:0}}:epoch"
    )


def test_a_worker_reads_its_own_stream_and_appends_to_its_successors() -> None:
    streams = {
        (rule.access, key.rpartition(".")[2])
        for rule in user("worker-intake").rules
        for key in rule.keys
        if ":stream:" in key
    }
    assert streams == {(Access.ANY, "intake"), (Access.WRITE, "intake"), (Access.WRITE, "decisions")}


@pytest.mark.parametrize(
    ("partitions", "tags"),
    [
        (1, {"{shop:0}"}),
        (10, {"{shop:[0-9]}"}),
        (11, {"{shop:[0-9]}", "{shop:[0-9][0-9]}"}),
        (1000, {"{shop:[0-9]}", "{shop:[0-9][0-9]}", "{shop:[0-9][0-9][0-9]}"}),
    ],
)
def test_patterns_reach_every_partition(partitions: int, tags: set[str]) -> None:
    keys = [key for rule in user("worker-intake", partitions=partitions).rules for key in rule.keys]
    assert {key.partition("}")[0] + "}" for key in keys} == tags


@pytest.mark.parametrize("service", SCRIPTS)
def test_every_command_of_a_services_scripts_is_allowed_to_it(service: str) -> None:
    called = {
        "|".join(filter(None, found)).lower() for verb in SCRIPTS[service] for found in CALL.findall(source(verb))
    }
    allowed = {"time", *(command for rule in user(service).rules for command in rule.commands)}
    assert called - allowed == NEVER_COME_TO.get(service, set())


def test_workers_alone_use_the_channels_that_are_named_and_may_do_all_that_is_done_with_these() -> None:
    worker = user("worker-intake", channels=("jobs", "more-*"))
    of_channels = [rule for rule in worker.rules if all(":channel:" in key for key in rule.keys)]
    assert [{key.partition("}")[0] for key in rule.keys} for rule in of_channels] == [
        {"{shop:channel:jobs"},
        {"{shop:channel:more-*"},
    ]
    called = {"|".join(filter(None, found)).lower() for verb in CHANNEL for found in CALL.findall(source(verb))}
    assert called | {"xread", "eval", "evalsha"} == {*of_channels[0].commands, "time"}
    assert ":channel:" not in user("gateway", channels=("jobs",)).line() + user("worker-intake").line()


def test_somebody_may_use_every_key_that_there_is() -> None:
    of_runs = (inspect.getdoc(keys) or "").partition("A `<group>` is")[0]  # channels are not of a graph's edges
    kinds = re.findall(r"^\| `(\w+)", of_runs, re.MULTILINE)
    used = {
        key.split("}:")[1].split(":")[0] for service in SCRIPTS for rule in user(service).rules for key in rule.keys
    }
    assert set(kinds) == used - {"*"}, "who needs a new key is said in headrace/bus/redis/acl/users.py"


def test_only_an_operator_sees_names_of_keys() -> None:
    scanning = [each.name for each in users_of(fund_load.compile(), "shop") if "scan" in each.line()]
    assert scanning == ["shop.operator"]


def test_an_operator_looks_in_one_step_and_watches() -> None:
    assert {"+multi", "+exec", "+watch", "+unwatch"} <= set(user("operator").keyless)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("pipe", [fund_load, orders], ids=lambda pipe: pipe.name)
@pytest.mark.parametrize("on_cluster", [False, True])
def test_a_server_takes_every_line_and_a_second_time_replaces_the_first(
    pipe: Pipe, on_cluster: bool, server: RedisServer
) -> None:
    with Redis.from_url(server.url, decode_responses=True) as admin:
        for each in users_of(pipe.compile(), pipe.name, partitions=12, on_cluster=on_cluster):
            for line in (each.line(), each.line_of_redis_6(), each.line()):
                admin.execute_command("ACL", "SETUSER", *words(line))
            assert len(admin.acl_getuser(each.name)["selectors"]) == len(each.rules)
