"""Message codecs: round trips, validation on decode, and refusals that name the place and never the content."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, computed_field, field_validator

from headrace.errors import InvalidMessageError
from headrace.wire.codec import MessageCodec, is_message_type


class Colour(Enum):
    RED = "red"


class Square(Struct, frozen=True, tag=True):
    side: int = 1


class Circle(Struct, frozen=True, tag=True):
    radius: int = 1


class Part(Struct, forbid_unknown_fields=True):
    name: str = ""
    colour: Colour = Colour.RED
    size: Literal["small", "large"] = "small"
    code: Annotated[str, Meta(pattern="^[a-z]*$")] = ""
    count: Annotated[int, Meta(ge=0)] = 0
    shape: Square | Circle = Square()
    prices: dict[str, Decimal] = {}
    inner: "list[Part]" = []
    at: datetime = datetime(2024, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if self.name.startswith("SECRET"):
            raise ValueError(f"must not be {self.name}")
        if self.name.startswith("LOOKUP"):
            raise KeyError(self.name)


@dataclass
class Point:
    x: int
    y: int = 0


class Money(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    amount: PositiveInt
    paid_on: date = Field(date(2024, 1, 1), alias="paidOn")


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ref: str = Field(validation_alias="orderRef", serialization_alias="reference")
    money: Money
    notes: dict[str, int] = {}
    lines: list[Money] = []
    colour: Colour = Colour.RED
    token: UUID | None = None

    @computed_field
    def is_paid(self) -> bool:
        return True

    @field_validator("ref")
    @classmethod
    def check(cls, ref: str) -> str:
        if ref.startswith("SECRET"):
            raise ValueError(f"must not be {ref}")
        if ref.startswith("LOOKUP"):
            raise KeyError(ref)
        return ref


def codec(message_type: type[Any]) -> MessageCodec:
    return MessageCodec(message_type, message_type.__name__)


def why(message_type: type[Any], text: str | bytes) -> str:
    with pytest.raises(InvalidMessageError) as caught:
        codec(message_type).from_json(text.encode() if isinstance(text, str) else text)
    assert str(caught.value) == f"invalid message for type '{message_type.__name__}': {caught.value.why}"
    return caught.value.why


@given(st.builds(Part, name=st.text(), count=st.integers(0, 2**64 - 1)))
def test_a_struct_comes_back_as_it_went_in(part: Part) -> None:
    assert codec(Part).decode(codec(Part).encode(part)) == part
    assert codec(Part).from_json(codec(Part).to_json(part)) == part


@given(st.builds(Point, x=st.integers(-(2**63), 2**63), y=st.integers(0, 2**63)))
def test_a_dataclass_comes_back_as_it_went_in(point: Point) -> None:
    assert codec(Point).decode(memoryview(codec(Point).encode(point))) == point
    assert codec(Point).from_json(codec(Point).to_json(point)) == point


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63)))
def test_a_model_with_strict_types_aliases_and_computed_fields_comes_back_as_it_went_in(notes: dict[str, int]) -> None:
    money = Money(amount=5, paidOn=date(2024, 2, 3))
    order = Order.model_validate({"orderRef": "1", "money": money, "notes": notes, "token": UUID(int=7)})

    assert codec(Order).decode(codec(Order).encode(order)) == order
    assert codec(Order).decode(memoryview(codec(Order).encode(order))) == order


def test_at_the_rim_a_model_goes_by_its_aliases() -> None:
    order = codec(Order).from_json(b'{"orderRef":"1","money":{"amount":5,"paidOn":"2024-02-03"}}')

    written = msgspec.json.decode(codec(Order).to_json(order))

    assert written["reference"] == "1"
    assert written["money"] == {"amount": 5, "paidOn": "2024-02-03"}
    assert written["is_paid"] is True
    assert why(Order, '{"ref":"1","money":{"amount":5}}').startswith("orderRef: Field required")


def test_strict_types_of_a_model_hold_on_decode() -> None:
    assert why(Money, '{"amount":"5"}') == "amount: Input should be a valid integer"


def test_a_decoded_message_is_validated_in_an_envelope_too() -> None:
    for message_type, body in (
        (Part, msgspec.msgpack.encode({"count": -1})),
        (Point, msgspec.msgpack.encode({"y": 1})),
        (Order, b'{"ref":"1","money":{"amount":0}}'),
    ):
        with pytest.raises(InvalidMessageError):
            codec(message_type).decode(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"colour":"SECRET"}', "Value is not one of the allowed ones - at `$.colour`"),
        ('{"size":"SECRET - at `$.forged"}', "Value is not one of the allowed ones - at `$.size`"),
        ('{"code":"SECRET"}', "Expected `str` matching regex '^[a-z]*$' - at `$.code`"),
        ('{"shape":{"type":"SECRET"}}', "Value is not one of the allowed tags - at `$.shape.type`"),
        ('{"prices":{"SECRET":"SECRET"}}', "Invalid decimal string - at `$.prices[...]`"),
        ('{"SECRET":1}', "Object contains an unknown field"),
        ('{"inner":[{"SECRET":1}]}', "Object contains an unknown field - at `$.inner[0]`"),
        ('{"name":"SECRET"}', "Value is refused by the type's own check"),
        ('{"inner":[{"name":"SECRET"}]}', "Value is refused by the type's own check - at `$.inner[0]`"),
        ('{"name":"LOOKUP SECRET"}', "Value is refused by the type's own check (KeyError)"),
        ('{"count":-77}', "Expected `int` >= 0 - at `$.count`"),
        ('{"at":"SECRET"}', "Invalid RFC3339 encoded datetime - at `$.at`"),
        ('"SECRET"', "Expected `object`, got `str`"),
        ("SECRET", "JSON is malformed: invalid character (byte 0)"),
        (b'{"name":"\xffSECRET"}', "a text is not UTF-8"),
    ],
)
def test_the_refusal_of_a_struct_names_the_place_and_never_the_content(text: str | bytes, expected: str) -> None:
    assert why(Part, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"orderRef":"SECRET","money":{"amount":1}}', "orderRef: Value is refused by the type's own check"),
        ('{"orderRef":"LOOKUP SECRET","money":{"amount":1}}', "Value is refused by the type's own check (KeyError)"),
        ('{"orderRef":"1","money":{"amount":-77}}', "money.amount: Input should be greater than 0"),
        (
            '{"orderRef":"1","money":{"amount":1},"notes":{"SECRET":"SECRET"}}',
            "notes[...]: Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            '{"orderRef":"1","money":{"amount":1},"lines":[{"amount":1},{"amount":1,"paidOn":"SECRET"}]}',
            "lines[1].paidOn: Input should be a valid date in the format YYYY-MM-DD, input is too short",
        ),
        ('{"orderRef":"1","money":{"amount":1},"colour":"SECRET"}', "colour: Input should be 'red'"),
        ('{"orderRef":"1","money":{"amount":1},"SECRET":1}', "[...]: Extra inputs are not permitted"),
        ('{"orderRef":"1","money":{"amount":1},"token":"SECRET"}', "token: Value is refused by the type's own check"),
        ("SECRET", "message: Invalid JSON: expected value at line 1 column 1"),
        ('"SECRET"', "message: Input should be an object"),
    ],
)
def test_the_refusal_of_a_model_names_the_place_and_never_the_content(text: str, expected: str) -> None:
    assert why(Order, text) == expected


def test_of_many_mistakes_in_a_model_three_are_told_and_the_others_counted() -> None:
    lines = ",".join(['{"amount":0}'] * 5)

    told = why(Order, f'{{"orderRef":"1","money":{{"amount":1}},"lines":[{lines}]}}')

    assert told == (
        "lines[0].amount: Input should be greater than 0; lines[1].amount: Input should be greater than 0; "
        "lines[2].amount: Input should be greater than 0; and 2 more"
    )


@given(st.text(st.sampled_from("qQxXzZ0123456789#%"), min_size=8), st.sampled_from([Part, Order, Point]), st.data())
def test_whatever_is_wrong_a_refusal_never_shows_what_was_sent(
    secret: str, message_type: type[Any], data: st.DataObject
) -> None:
    names = ["name", "colour", "size", "shape", "prices", "inner", "at", "x", "orderRef", "money", "token", secret]
    values = st.recursive(
        st.just(secret) | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*names, "type"]), inner),
    )
    payload = data.draw(st.dictionaries(st.sampled_from(names), values))
    if message_type is Part and set(payload) <= {"name"}:
        payload["colour"] = secret
    told = ""
    try:
        codec(message_type).from_json(msgspec.json.encode(payload))
    except InvalidMessageError as refused:
        told = str(refused)

    assert secret not in told


def test_a_payload_nested_without_end_is_refused() -> None:
    class Anything(Struct):
        value: Any = None

    with pytest.raises(InvalidMessageError, match="it is nested too deeply"):
        codec(Anything).decode(b"\x81\xa5value" + b"\x91" * 100_000)


def test_a_value_without_a_form_on_the_wire_is_refused_without_being_shown() -> None:
    class Anything(Struct):
        value: Any = None

    class AnythingModel(BaseModel):
        value: Any = None

    loop = Anything()
    loop.value = loop
    for message in (Anything(object()), loop, AnythingModel(value=object()), AnythingModel(value=b"\xff")):
        for encode in (codec(type(message)).encode, codec(type(message)).to_json):
            with pytest.raises(InvalidMessageError) as caught:
                encode(message)
            assert caught.value.why == "a field holds a value that cannot be encoded"


def test_a_schema_describes_the_json_form() -> None:
    struct, model = codec(Point).json_schema(), codec(Order).json_schema()

    assert struct["$defs"]["Point"]["required"] == ["x"]
    assert model["required"] == ["orderRef", "money"]
    assert model["$defs"]["Money"]["properties"]["paidOn"]["format"] == "date"


def test_a_field_type_without_a_form_on_the_wire_is_a_type_error() -> None:
    class Odd(Struct):
        field: list[Colour] | set[int]

    with pytest.raises(TypeError):
        codec(Odd)


@pytest.mark.parametrize(("candidate", "expected"), [(Part, True), (Point, True), (Order, True), (Colour, False)])
def test_structs_models_and_dataclasses_are_message_types(candidate: type[Any], expected: bool) -> None:
    assert is_message_type(candidate) is expected


def test_an_instance_is_no_message_type() -> None:
    assert not is_message_type(Point(1))
    assert not is_message_type("Point")
