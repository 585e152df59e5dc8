from decimal import Decimal

import msgspec
from examples.fund_load.model import Accounts, Answer, Day


def test_an_answer_is_compact_json_in_the_order_of_the_format() -> None:
    assert msgspec.json.encode(Answer("15887", "528", accepted=True)) == (
        b'{"id":"15887","customer_id":"528","accepted":true}'
    )
    assert msgspec.json.encode(Answer("", "é\n", accepted=False)).decode() == (
        '{"id":"","customer_id":"é\\n","accepted":false}'
    )


def test_new_accounts_are_empty_and_share_nothing() -> None:
    first = Accounts()
    first.seen.add("1")
    first.days["c"] = {1: Day(1, Decimal(5))}
    first.prime_days.add(1)
    assert Accounts() == Accounts(seen=set(), days={}, prime_days=set())


def test_accounts_survive_the_wire_exactly() -> None:
    accounts = Accounts({"1", "é"}, {"c": {730_122: Day(3, Decimal("4999.9999999999999999999999999999"))}}, {730_122})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(accounts), type=Accounts) == accounts
