"""The drawn pipeline as a pipe, for workers and client alike; the seed comes from the environment."""

import os
from typing import Any

from msgspec import Struct
from tests.soak.drawn import (
    MODULUS,
    Entry,
    Kind,
    Stage,
    bits,
    draw,
    fold,
    has_extra,
    is_cancelled,
    is_doomed,
    is_filtered,
    is_flaky,
    is_kept,
    is_signalled,
    parts,
    pieces,
)
from tests.soak.made import Body, following, made_of, message, with_signature

from headrace import Context, Drop, First, Gather, Partial, Pipe, Retry, Signal, State, Suspend

NAME = "drawn"
SEED = "SOAK_SEED"
SIGNAL = "go"


class FlakyError(Exception):
    """Worth another try."""


class DoomedError(Exception):
    """Not worth one."""


class Sum(Struct):
    """What a keyed node remembers of a key."""

    total: int = 0
    count: int = 0


class Go(Struct):
    """The signal."""

    number: int


class Builder:
    """Declares the nodes of one pipeline."""

    def __init__(self) -> None:
        self.pipe = Pipe(NAME, entry=Entry)

    def declare(self, name: str, group: str, body: Body, takes: dict[str, Any], gives: Any, **options: Any) -> None:
        """Declare a node that fails now and then; `body` gets what it takes, by name."""

        async def call(ctx: Context, **messages: Any) -> Any:
            first = next(iter(messages.values()))
            one = first[0] if isinstance(first, list) else first  # of what was gathered
            if is_flaky(name, one.number, ctx.attempt):
                raise FlakyError
            return body(**messages)

        node = with_signature(call, name, takes, gives)
        retry = Retry(attempts=12, backoff=0.02, max_backoff=0.2, on=(FlakyError,))
        self.pipe.node(name=name, group=group, retry=retry, **options)(node)

    def stage(self, at: int, stage: Stage, takes: type[Any], gives: type[Any], *, is_first_step: bool) -> None:
        """Declare the nodes of a stage."""
        match stage.kind:
            case Kind.STEP:
                self._step(at, stage, takes, gives, is_first_step=is_first_step)
            case Kind.SWITCH:
                self._switch(at, stage, takes, gives)
            case Kind.DIAMOND:
                self._diamond(at, stage, takes, gives)
            case Kind.KEYED:
                self._keyed(at, stage, takes, gives)
            case Kind.FILTER:
                self._filter(at, stage, takes, gives)
            case Kind.PIECES:
                self._pieces(at, stage, takes, gives)
            case Kind.GATHER:
                self._gather(at, stage, takes, gives)
            case Kind.CHOICE:
                self._choice(at, stage, takes, gives)
            case Kind.SIGNAL:
                self._signal(at, stage, takes, gives)

    def _step(self, at: int, stage: Stage, takes: type[Any], gives: type[Any], *, is_first_step: bool) -> None:
        def step(m: Any) -> Any:
            if is_first_step and is_doomed(m.number):
                raise DoomedError
            return following(gives, m, m.value * stage.factor + 1)

        self.declare(f"step_{at}", stage.groups[0], step, {"m": takes}, gives)

    def _switch(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        even, odd = message(f"Even{at}"), message(f"Odd{at}")
        self.declare(
            f"switch_{at}",
            stage.groups[0],
            lambda m: following(odd if m.value % 2 else even, m, m.value),
            {"m": takes},
            even | odd,
        )
        self.declare(
            f"even_{at}", stage.groups[1], lambda m: following(gives, m, m.value + stage.factor), {"m": even}, gives
        )
        self.declare(f"odd_{at}", stage.groups[2], lambda m: following(gives, m, m.value * 3), {"m": odd}, gives)

    def _diamond(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        plus, times = message(f"Plus{at}"), message(f"Times{at}")
        self.declare(
            f"plus_{at}", stage.groups[0], lambda m: following(plus, m, m.value + stage.factor), {"m": takes}, plus
        )
        self.declare(
            f"times_{at}", stage.groups[1], lambda m: following(times, m, m.value * stage.factor), {"m": takes}, times
        )
        self.declare(
            f"join_{at}",
            stage.groups[2],
            lambda a, b: following(gives, a, 2 * a.value + b.value),
            {"a": plus, "b": times},
            gives,
        )

    def _keyed(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        def add(m: Any, so_far: Sum) -> Any:
            so_far.total = (so_far.total + m.value) % MODULUS
            so_far.count += 1
            return following(gives, m, so_far.total)

        takes_both = {"m": takes, "so_far": made_of(State, Sum)}
        self.declare(f"keyed_{at}", stage.groups[0], add, takes_both, gives, key="key", order="ingress")

    def _filter(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        def keep(m: Any) -> Any:
            return Drop() if is_filtered(at, m.number) else following(gives, m, m.value)

        self.declare(f"filter_{at}", stage.groups[0], keep, {"m": takes}, gives | Drop)

    def _pieces(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        piece = message(f"Piece{at}")

        def split(m: Any) -> Any:
            return [following(piece, m, value) for value in pieces(at, m.number, m.value)]

        def add(m: Any, so_far: Sum) -> None:
            so_far.total += m.value
            so_far.count += 1

        takes_both = {"m": piece, "so_far": made_of(State, Sum)}
        self.declare(f"go_on_{at}", stage.groups[0], lambda m: following(gives, m, m.value), {"m": takes}, gives)
        self.declare(f"split_{at}", stage.groups[1], split, {"m": takes}, made_of(list, piece))
        self.declare(f"add_{at}", stage.groups[2], add, takes_both, None, key="key")

    def _gather(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        part, bit, kept, whole = (message(f"{name}{at}") for name in ("Part", "Bit", "Kept", "Whole"))
        first, second, third = stage.groups

        def bits_of(p: Any) -> Any:
            return [following(bit, p, value) for value in bits(p.value)]

        def keep(b: Any) -> Any:
            return following(kept, b, b.value) if is_kept(b.value) else Drop()

        def whole_of(of: list[Any]) -> Any:
            return following(whole, of[0], fold(each.value for each in of))

        def parts_of(m: Any) -> Any:
            return [following(part, m, value) for value in parts(at, m.number, m.value)]

        def fold_of(of: list[Any]) -> Any:
            return following(gives, of[0], fold(each.value for each in of))

        self.declare(f"parts_{at}", first, parts_of, {"m": takes}, made_of(list, part))
        self.declare(f"bits_{at}", second, bits_of, {"p": part}, made_of(list, bit))
        self.declare(f"keep_{at}", third, keep, {"b": bit}, kept | Drop)
        self.declare(f"whole_{at}", second, whole_of, {"of": made_of(Gather, kept)}, whole)
        self.declare(f"fold_{at}", third, fold_of, {"of": made_of(Gather, whole)}, gives)

    def _choice(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        fast, slow, extra = (message(f"{name}{at}") for name in ("Fast", "Slow", "Extra"))
        first, second, third = stage.groups

        def may_add(m: Any) -> Any:
            return following(extra, m, m.value) if has_extra(at, m.number) else Drop()

        def close(a: Any, b: Any) -> Any:
            return following(gives, a, a.value + (b.value if b else 0))

        self.declare(f"fast_{at}", first, lambda m: following(fast, m, m.value * stage.factor), {"m": takes}, fast)
        self.declare(f"slow_{at}", second, lambda m: following(slow, m, m.value * stage.factor), {"m": takes}, slow)
        self.declare(f"extra_{at}", third, may_add, {"m": takes}, extra | Drop)
        self.declare(
            f"close_{at}", first, close, {"a": made_of(First, fast | slow), "b": made_of(Partial, extra)}, gives
        )

    def _signal(self, at: int, stage: Stage, takes: type[Any], gives: type[Any]) -> None:
        def wait(m: Any, go: Go | None) -> Any:
            if is_cancelled(m.number) or (is_signalled(m.number) and go is None):
                return Suspend(SIGNAL)
            return following(gives, m, m.value + (go.number if go else 0))

        self.declare(f"wait_{at}", stage.groups[0], wait, {"m": takes, SIGNAL: made_of(Signal, Go)}, gives | Suspend)


def build(seed: int) -> Pipe:
    """Make the pipe of a seed."""
    stages, builder = draw(seed), Builder()
    kinds = [stage.kind for stage in stages]
    takes: type[Any] = Entry
    for at, stage in enumerate(stages):
        gives = message(f"After{at}")
        builder.stage(at, stage, takes, gives, is_first_step=at == kinds.index(Kind.STEP))
        takes = gives
    return builder.pipe


pipe = build(int(os.environ.get(SEED, "1")))
