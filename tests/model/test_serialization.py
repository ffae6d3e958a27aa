"""JSON of every public value."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.samples import sample

import webwx
from webwx import (
    AsyncClient,
    Contact,
    ContactId,
    Contacts,
    LoggedOut,
    LoginState,
    Outgoing,
    Receipt,
    StateChange,
    TextMessage,
    event_to_json,
    to_json,
)
from webwx.model.serialization import to_builtins

NO_VALUES = {"Context"}
"""Structs that hold a client."""

PUBLIC_STRUCTS = [
    value
    for name in webwx.__all__
    if isinstance(value := getattr(webwx, name), type) and issubclass(value, msgspec.Struct) and name not in NO_VALUES
]

RECEIPT = Receipt(message_id="1", client_id="2", chat=ContactId("@a"), time=1700000000.5)
TEXT = TextMessage(
    number=7,
    message_id="1",
    chat=ContactId("@a"),
    sender=None,
    is_self=False,
    time=1700000000,
    content="你好",
    text="你好",
)


@pytest.mark.parametrize("kind", PUBLIC_STRUCTS, ids=lambda kind: kind.__name__)
class TestEveryPublicStruct:
    def test_is_an_object_with_its_fields_in_order(self, kind: type[msgspec.Struct]) -> None:
        config = kind.__struct_config__
        tag = [config.tag_field] if config.tag_field else []
        assert list(json.loads(to_json(sample(kind)))) == [*tag, *kind.__struct_fields__]

    def test_is_the_same_as_dicts_and_lists(self, kind: type[msgspec.Struct]) -> None:
        value = sample(kind)
        assert json.loads(json.dumps(to_builtins(value))) == json.loads(to_json(value))


def test_an_event_and_a_send_name_their_kind_first() -> None:
    send = Outgoing(
        number=3, client_id="2", chat=ContactId("@a"), kind="text", text="hi", state="sent", receipt=RECEIPT,
        created_at=1.0, changed_at=2.0,
    )  # fmt: skip
    assert to_json(TEXT).startswith('{"type":"message.text",')
    assert to_json(send).startswith('{"type":"outgoing","number":3,')


def test_an_event_is_what_event_to_json_writes() -> None:
    assert to_json(TEXT) == event_to_json(TEXT)


def test_a_receipt_is_what_its_own_method_writes() -> None:
    assert to_json(RECEIPT) == RECEIPT.to_json()


def test_a_time_is_a_number_of_seconds() -> None:
    assert to_builtins(RECEIPT)["time"] == 1700000000.5
    assert to_builtins(TEXT)["time"] == 1700000000


def test_an_enum_is_its_value_and_an_error_has_its_type_and_its_message() -> None:
    change = StateChange(
        state=LoginState.LOGGED_OUT, before=LoginState.ONLINE, error=LoggedOut("The phone ended it.", reason="phone")
    )
    assert json.loads(to_json(change)) == {
        "state": "logged_out",
        "before": "online",
        "error": {"type": "LoggedOut", "message": "The phone ended it."},
    }


def test_values_are_written_inside_dicts_and_lists() -> None:
    assert json.loads(to_json({"receipts": [RECEIPT]})) == {"receipts": [to_builtins(RECEIPT)]}


def test_the_contacts_of_a_login_are_a_list() -> None:
    contacts = Contacts([Contact(id=ContactId("@a"), nickname="阿华")])
    assert [each["id"] for each in json.loads(to_json(contacts))] == [each.id for each in contacts]


@pytest.mark.parametrize("text", ["half \udc80 a pair", '"\n\\', "你好😀"])
def test_every_text_is_written_and_can_be_encoded(text: str) -> None:
    written = to_json({"path": text})
    assert "\n" not in written
    assert json.loads(written.encode()) == {"path": text}


@pytest.mark.parametrize("value", [AsyncClient(), object(), iter([1])])
def test_other_objects_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="has no JSON"):
        to_json(value)
