"""The types that a caller of a pipe sees. Checked by mypy, never run."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, assert_type

from headrace import Client, ExecutionPlan, Failure, FailureKind, RunError, RunFailedError, local
from headrace.ledger.values import RunView, Terminal
from headrace.runtime.bulk import run_all


async def check(plan: ExecutionPlan, message: object) -> None:
    async with local(plan) as client:
        assert_type(client, Client)
        assert_type(await client.run(message), Any)
        assert_type(await client.ask(message), tuple[str, Terminal])
        assert_type(await client.submit(message), str)
        assert_type(await client.ask_all([message]), list[tuple[str, asyncio.Future[Terminal]]])
        assert_type(await client.view("trace"), RunView | None)
        assert_type(await client.cancel("trace"), bool)
        assert_type(await client.signal("trace", "approval", message), bool)
        assert_type(run_all(client, [message]), AsyncGenerator[tuple[str, Terminal], None])
        assert_type(client.result_json("trace", await client.wait("trace")), bytes | None)


def kind_of(error: RunError) -> FailureKind:
    assert_type(error.failure, Failure)
    if isinstance(error, RunFailedError):
        assert_type(error, RunFailedError)
    return error.failure.kind
