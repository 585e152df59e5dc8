"""`/v1/pipes/{pipe}/ws`: many runs over one WebSocket, each message with the id that its caller gave it.

| from the client | |
| --- | --- |
| `{"id", "message"}` | run the pipe; `events`: its events come too; `timeout_s`, `wait_s`, `idempotency_key` |
| `{"id", "cancel": true}` | cancel that run, which then ends as a problem |

| to the client | |
| --- | --- |
| `{"id", "type": "accepted", "trace_id"}` | it has started |
| `{"id", "type": "event", "event"}` | one of its events |
| `{"id", "type": "result", "trace_id", "result"}` | it has completed |
| `{"id", "type": "problem", "problem"}` | it has not; the body of the problem that HTTP would have answered |

When the connection ends its runs go on. A message may have a `traceparent`, or has the connection's.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from typing import Any

import msgspec
from fastapi import APIRouter, Response, WebSocket, WebSocketDisconnect
from msgspec import Raw, Struct
from starlette.websockets import WebSocketState

from headrace.errors import HeadraceError, TooManyRunsError, WaitTimeoutError
from headrace.runtime.client import Client
from headrace.runtime.idempotency import Idempotency, fingerprint_of
from headrace.runtime.submissions import Options
from headrace_gateway.asked import idempotency_key_of, timeout_of, traceparent_of
from headrace_gateway.body import message_in
from headrace_gateway.caller import Action, Caller
from headrace_gateway.problem import ProblemError, problem_of
from headrace_gateway.refusals import malformed_message, over_limit
from headrace_gateway.served import Served
from headrace_gateway.slots import Slots

LIMIT = "max_outstanding"
_RETRY_AFTER_S = 1
_NOTHING = Raw(b"null")


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """A message of the client's."""

    id: str
    message: Raw = Raw()
    cancel: bool = False
    events: bool = False
    timeout_s: float | None = None
    wait_s: float | None = None
    idempotency_key: str | None = None
    traceparent: str | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """A message to the client."""

    id: str
    type: str
    trace_id: str = ""
    event: Any = None
    result: Raw | None = None
    problem: Raw | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Asked).decode


def sockets_router(served: Served) -> APIRouter:
    """Make a path a pipe."""
    router = APIRouter(prefix="/v1/pipes")
    for pipe, client in served.clients.items():
        _add_socket(router, served, client, served.admission.endpoint(f"/v1/pipes/{pipe}/ws"))
    return router


def _add_socket(router: APIRouter, served: Served, client: Client, slots: Slots) -> None:
    pipe = client.plan.pipe

    @router.websocket(f"/{pipe}/ws")
    async def talk(socket: WebSocket) -> None:
        try:
            caller = await served.caller(socket)
            caller.require(Action.RUN, pipe)
        except ProblemError as error:
            await socket.send_denial_response(error.response())
            return
        await socket.accept()
        await _Talk(socket, served, client, caller, slots).run()


class _Talk:
    """One connection."""

    def __init__(self, socket: WebSocket, served: Served, client: Client, caller: Caller, slots: Slots) -> None:
        self._socket = socket
        self._served = served
        self._client = client
        self._caller = caller
        self._slots = slots
        self._outstanding: dict[str, asyncio.Task[None]] = {}
        self._started: dict[str, asyncio.Future[str]] = {}

    async def run(self) -> None:
        """Talk until the client goes away; what it still waits for is then waited for no longer."""
        async with asyncio.TaskGroup() as tasks:
            async with aclosing(self._messages()) as messages:
                async for text in messages:
                    await self._take(text, tasks)
            for task in self._outstanding.values():
                task.cancel()

    async def _messages(self) -> AsyncGenerator[bytes, None]:
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            yield text.encode() if text is not None else received.get("bytes") or b""

    async def _take(self, text: bytes, tasks: asyncio.TaskGroup) -> None:
        try:
            asked = _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            await self._say_problem(
                "", malformed_message("the message is not of the form that is described").response()
            )
            return
        try:
            if asked.cancel:
                tasks.create_task(self._cancel(asked.id))
                return
            self._admit(asked)
        except ProblemError as error:
            await self._say_problem(asked.id, error.response())
            return
        self._started[asked.id] = asyncio.get_running_loop().create_future()
        task = tasks.create_task(self._answer(asked))
        self._outstanding[asked.id] = task
        task.add_done_callback(lambda _: self._forget(asked.id))

    def _admit(self, asked: Asked) -> None:
        if asked.id in self._outstanding:
            raise malformed_message("a message of this id is under way here")
        if not bytes(asked.message):
            raise malformed_message("there is neither 'message' nor 'cancel'")
        most = self._served.limits.max_outstanding
        if len(self._outstanding) >= most:
            detail = f"{most} messages are under way in this connection, which is the limit"
            raise over_limit(LIMIT, most, detail, retry_after_s=_RETRY_AFTER_S)
        self._served.take(self._caller, self._socket)

    async def _answer(self, asked: Asked) -> None:
        try:
            with self._slots:
                await self._run(asked)
        except TooManyRunsError as error:
            await self._say_problem(asked.id, (await self._served.admission.no_more_runs(error)).response())
        except ProblemError as error:
            await self._say_problem(asked.id, error.response())
        except HeadraceError as error:
            await self._say_problem(asked.id, problem_of(error))

    async def _run(self, asked: Asked) -> None:
        client, limits = self._client, self._served.limits
        body = bytes(asked.message)
        message = message_in(body, client.plan.codecs[client.plan.entry_type])
        with self._traced(asked) as traceparent:
            trace_id = await client.submit(message, self._options(asked, body, traceparent))
        self._started[asked.id].set_result(trace_id)
        await self._say(Answer(asked.id, "accepted", trace_id))
        wait_s = limits.max_wait_s if asked.wait_s is None else min(max(asked.wait_s, 0.0), limits.max_wait_s)
        if asked.events:
            await self._tell_events(asked.id, trace_id, wait_s)
        result = client.result_json(trace_id, await client.wait(trace_id, wait_s))
        await self._say(Answer(asked.id, "result", trace_id, result=Raw(result) if result else _NOTHING))

    async def _tell_events(self, id_: str, trace_id: str, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s), aclosing(self._client.events(trace_id)) as events:
                async for event in events:
                    await self._say(Answer(id_, "event", event=event))
        except TimeoutError:
            raise WaitTimeoutError(trace_id, wait_s) from None

    def _traced(self, asked: Asked) -> AbstractContextManager[str]:
        """See a run being started; gives the trace context that it is to have."""
        given = traceparent_of(asked.traceparent or self._socket.headers.get("traceparent"))
        traces, pipe = self._served.traces, self._client.plan.pipe
        return nullcontext(given) if traces is None else traces.request(f"message {self._socket.url.path}", pipe, given)

    def _options(self, asked: Asked, body: bytes, traceparent: str) -> Options:
        key = idempotency_key_of(asked.idempotency_key)
        return Options(
            timeout_s=timeout_of(None if asked.timeout_s is None else str(asked.timeout_s)),
            most_open=self._served.limits.max_runs,
            idempotency=Idempotency(key, fingerprint_of(body), self._caller.name) if key else None,
            traceparent=traceparent,
            keeps_events=asked.events,
        )

    async def _cancel(self, id_: str) -> None:
        """Cancel a run of this connection; its own answer tells of it. One that has ended has been answered."""
        started = self._started.get(id_)
        try:
            self._caller.require(Action.CANCEL, self._client.plan.pipe)
            if started is None:
                raise malformed_message("no message of this id is under way here")
            await asyncio.wait([started])
            if not started.cancelled():
                await self._client.cancel(started.result())
        except ProblemError as error:
            await self._say_problem(id_, error.response())
        except HeadraceError as error:
            await self._say_problem(id_, problem_of(error))

    def _forget(self, id_: str) -> None:
        self._outstanding.pop(id_, None)
        self._started.pop(id_).cancel()

    async def _say_problem(self, id_: str, response: Response) -> None:
        await self._say(Answer(id_, "problem", problem=Raw(bytes(response.body))))

    async def _say(self, answer: Answer) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):  # nobody is there to hear it
                await self._socket.send_text(_encode(answer).decode())
