"""`/console`: a page for operators, and `/console/api`, which is the page's own and may change with it.

Whoever asks the API needs the scope `admin` for a pipe, and sees that pipe alone. Answers are paged and about a second
old; they hold no message.
"""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct

from headrace.bus.redis.inspect.letters import parse_name
from headrace.errors import NotRedrivableError, UnknownRunError
from headrace.graph.plan import ExecutionPlan
from headrace.runtime.redrive import Redrive
from headrace.wire.envelope import Framing
from headrace.wire.trace import is_trace_id
from headrace_gateway.caller import Action, Caller
from headrace_gateway.console.drawing import draw
from headrace_gateway.console.fresh import Fresh
from headrace_gateway.console.page import add_page
from headrace_gateway.console.pulse import PulseReader
from headrace_gateway.console.search import MOST_ROWS, Asked, LetterPage, RunPage, find_letters, find_runs
from headrace_gateway.console.sight import Sight
from headrace_gateway.problem import ProblemError
from headrace_gateway.refusals import forbidden
from headrace_gateway.served import Served

_API = "/console/api"
_JSON = "application/json"
_encode = msgspec.json.Encoder().encode
_Word = Annotated[str, Query(max_length=200)]
_Offset = Annotated[int, Query(ge=0, le=1_000_000)]
_Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]


class Chosen(Struct, frozen=True):
    """What the page asks to be redriven: a dead letter, by its name."""

    letter: str


def console_router(served: Served, sight: Sight, plans: Sequence[ExecutionPlan], framing: Framing) -> APIRouter:
    """Make the routes of the console."""
    router = APIRouter(include_in_schema=False)
    add_page(router)
    _add_api(router, _Console(served, sight, plans, framing))
    return router


class _Console:
    """What the routes share: who may see which pipe, and the newest answers."""

    def __init__(self, served: Served, sight: Sight, plans: Sequence[ExecutionPlan], framing: Framing) -> None:
        self.served = served
        self.sight = sight
        self.plans = {plan.pipe: plan for plan in plans}
        self.framing = framing
        streams = [plan.stream(group) for plan in plans for group in plan.groups]
        reader = PulseReader(sight, framing)
        self.pulses = {plan.pipe: Fresh(partial(reader.read, plan)) for plan in plans}
        self.loads = {pipe: Fresh(partial(served.bus.load, pipe)) for pipe in self.plans}
        self.runs = Fresh(sight.runs)
        self.letters = Fresh(partial(sight.letters, streams))

    async def pipes(self, request: Request, pipe: str = "") -> list[str]:
        """Give the pipes that the caller may see; where one is named, that one.

        Raises:
            ProblemError: Nobody is known, or it may see none.
        """
        caller = await self.served.caller(request)
        if not pipe:
            return self.visible(caller)
        caller.require(Action.ADMIN, pipe)
        if pipe not in self.plans:
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_pipe", f"there is no pipe '{pipe}' here")
        return [pipe]

    def visible(self, caller: Caller) -> list[str]:
        """Give the pipes that a caller may see; raises where there is none."""
        found = [pipe for pipe in self.plans if caller.may(Action.ADMIN, pipe)]
        if not found:
            raise forbidden("admin:*")
        return found

    async def redrive(self, letter: str, pipes: Sequence[str]) -> str:
        """Redrive a letter; gives the new run.

        Raises:
            ProblemError: It is gone, or cannot be redriven.
        """
        name = parse_name(letter)
        pipe, _, group = name[0].partition(".") if name is not None else ("", "", "")
        if name is None or pipe not in pipes or group not in self.plans[pipe].groups:
            raise ProblemError(HTTPStatus.NOT_FOUND, "not_found", "this is no dead letter of a group that is here now")
        plan, found = self.plans[pipe], await self.sight.letter(name)
        if found is None:
            raise _gone()
        try:
            submission = Redrive(plan, self.framing).make(found.stream, found.letter)
        except NotRedrivableError as error:
            raise ProblemError(HTTPStatus.CONFLICT, error.code, str(error)) from error
        if not await self.sight.redrive(found.stream, found.letter, submission):
            raise _gone()
        return submission.trace_id


def _add_api(router: APIRouter, console: _Console) -> None:
    @router.get(f"{_API}/pipes")
    async def pipes(request: Request) -> Response:
        drawings = [draw(console.plans[pipe]) for pipe in await console.pipes(request)]
        return _answer({"bus": console.sight.bus, "missing": console.sight.missing, "pipes": drawings})

    @router.get(f"{_API}/pulse")
    async def pulse(request: Request, pipe: _Word) -> Response:
        await console.pipes(request, pipe)
        admission, now = console.served.admission, await console.pulses[pipe].get()
        load = await console.loads[pipe].get()
        slots = {name: (own.taken, own.limit, own.freed, own.refused) for name, own in admission.slots.items()}
        runs = {"open": load.open, "ended": load.ended, "limit": console.served.limits.max_runs}
        return _answer({"pulse": now, "runs": runs, "endpoints": slots, "refused": admission.refused})

    @router.get(f"{_API}/runs")
    async def runs(  # noqa: PLR0913 - a request's parameters
        request: Request,
        *,
        pipe: _Word = "",
        q: _Word = "",
        state: _Word = "",
        kind: _Word = "",
        offset: _Offset = 0,
        limit: _Limit = 50,
    ) -> Response:
        asked = Asked(await console.pipes(request, pipe), q, state, kind, offset, limit)
        found = await console.runs.get()
        return _answer(RunPage([], 0, {}, {}, 0, is_all=False) if found is None else find_runs(found, asked))

    @router.get(f"{_API}/runs/{{trace_id}}")
    async def run(request: Request, trace_id: str) -> Response:
        visible = await console.pipes(request)
        story = await console.sight.story(trace_id) if is_trace_id(trace_id) else None
        if story is None or story.pipe not in visible:
            raise UnknownRunError(trace_id)
        return _answer(story)

    @router.get(f"{_API}/letters")
    async def letters(
        request: Request, *, pipe: _Word = "", q: _Word = "", kind: _Word = "", offset: _Offset = 0, limit: _Limit = 50
    ) -> Response:
        asked = Asked(await console.pipes(request, pipe), q, "", kind, offset, limit)
        page: LetterPage = find_letters(await console.letters.get(), asked)
        return _answer(page)

    @router.post(f"{_API}/redrive")
    async def redrive(request: Request) -> Response:
        visible = await console.pipes(request)
        if request.headers.get("content-type") != _JSON:  # another site's form could send anything else unasked
            raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", f"the body must be {_JSON}")
        try:
            chosen = msgspec.json.decode(await request.body(), type=Chosen)
        except msgspec.MsgspecError:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed_json", "the body names no letter") from None
        return _answer({"trace_id": await console.redrive(chosen.letter, visible)})


def _gone() -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, "letter_gone", "the dead letter is gone: redriven or purged before")


def _answer(value: object) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(_encode(value), headers=headers, media_type=_JSON)
