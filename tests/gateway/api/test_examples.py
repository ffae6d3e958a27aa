"""Examples made from schemas."""

from __future__ import annotations

import pytest

from webwx.gateway.api.examples import example_of, given
from webwx.representations.contacts import ContactChange
from webwx.representations.sends import MessageToSend

SCHEMAS = {
    "Node": {
        "type": "object",
        "required": ["name", "time", "next"],
        "properties": {
            "name": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
            "next": {"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]},
            "left_out": {"type": "string"},
        },
    }
}


def test_an_object_has_its_required_fields_and_ends() -> None:
    assert example_of({"$ref": "#/components/schemas/Node"}, SCHEMAS) == {
        "name": "Ah Hua",
        "time": "2026-11-28T09:30:00.000Z",
        "next": None,
    }


@pytest.mark.parametrize(
    ("schema", "name", "value"),
    [
        ({"enum": ["a", "b"]}, "state", "a"),
        ({"type": "integer", "minimum": 5}, "size", 5),
        ({"type": "integer", "minimum": 1, "default": 50}, "limit", 50),
        ({"type": "array", "items": {"type": "string"}}, "types", ["message.text"]),
        ({"allOf": [{"const": {"a": 1}}, {"const": {"b": 2}}]}, "", {"a": 1, "b": 2}),
    ],
)
def test_a_value_is_of_its_schema(schema: dict[str, object], name: str, value: object) -> None:
    assert example_of(schema, {}, name) == value


def test_a_body_has_the_fields_that_were_given() -> None:
    assert given(MessageToSend(to="filehelper", text="x")) == {"to": "filehelper", "text": "x"}
    assert given(ContactChange(pinned=True)) == {"pinned": True}
