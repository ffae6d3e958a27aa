"""What a sync tells: one by one, nothing lost, and through JSON unchanged."""

from __future__ import annotations

import json

import msgspec
import pytest

from webwx.model.contacts import Contact, ContactId
from webwx.model.events import (
    ContactChanged,
    ContactDeleted,
    Item,
    QuarantinedMessage,
    event_from_item,
    event_from_json,
    event_to_json,
)
from webwx.model.messages import (
    Event,
    ImageMessage,
    MessageRecalled,
    PhoneActivity,
    SystemMessage,
    TextMessage,
    UnknownMessage,
)

CHAT = ContactId("@peer")
COMMON = {"message_id": "9223372036854775807", "chat": CHAT, "sender": CHAT, "is_self": False, "time": 1_560_000_000}

TEXT = TextMessage(**COMMON, content="a&amp;b<br/>😀", text="a&b\n😀")
IMAGE = ImageMessage(**COMMON, content="&lt;msg&gt;")
UNKNOWN = UnknownMessage(
    **COMMON, content="x", message_type=49,
    raw=msgspec.Raw(b'{"MsgId":"9223372036854775807","NewMsgId":9223372036854775807}'),
)  # fmt: skip


def recalled(original: TextMessage | ImageMessage | UnknownMessage | None) -> MessageRecalled:
    return MessageRecalled(
        message_id="1", chat=CHAT, is_self=False, time=1, text="张三 撤回了", content="&lt;sysmsg", original=original
    )


EVENTS = {
    "text_message": TEXT,
    "image_message": IMAGE,
    "system_message": SystemMessage(**{**COMMON, "sender": None}, content="x", text="x"),
    "unknown_message": UNKNOWN,
    "message_recalled": recalled(None),
    "phone_activity": PhoneActivity(code=4, chat=CHAT, recent=(CHAT,)),
    "contact_changed": ContactChanged(contact=Contact(id=CHAT, nickname="张三")),
    "contact_deleted": ContactDeleted(id=CHAT),
    "quarantined_message": QuarantinedMessage(raw='{"MsgType":"x"}', reason="MsgId is missing"),
}


def item(kind: str, raw: bytes) -> Item:
    return Item(kind=kind, raw=msgspec.Raw(raw))


class TestThroughJson:
    @pytest.mark.parametrize(("name", "event"), EVENTS.items())
    def test_an_event_is_one_line_that_names_its_kind(self, name: str, event: Event) -> None:
        line = event_to_json(event)

        assert json.loads(line)["event"] == name
        assert "\n" not in line
        assert event_from_json(line) == event
        assert event_from_json(line.encode()) == event

    @pytest.mark.parametrize("original", [TEXT, IMAGE, UNKNOWN])
    def test_a_recall_keeps_its_original(self, original: TextMessage | ImageMessage | UnknownMessage) -> None:
        assert event_from_json(event_to_json(recalled(original))) == recalled(original)

    def test_c5_ids_are_texts(self) -> None:
        assert json.loads(event_to_json(TEXT))["message_id"] == "9223372036854775807"

    def test_characters_are_written_as_they_are(self) -> None:
        assert "😀" in event_to_json(TEXT)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"event":"nothing"}', '{"event":"text_message"}', b"\xff"])
    def test_anything_else_is_no_event(self, text: str | bytes) -> None:
        with pytest.raises(ValueError, match="This is no event"):
            event_from_json(text)


class TestItems:
    @pytest.mark.parametrize(("number", "text"), [(2**53 + 1, "9007199254740993"), (2**63 - 1, "9223372036854775807")])
    def test_c5_an_id_that_came_as_a_number_is_not_rounded(self, number: int, text: str) -> None:
        event = event_from_item(item("message", b'{"MsgId":%d,"MsgType":1,"FromUserName":"@peer"}' % number), "@me")

        assert isinstance(event, TextMessage)
        assert event.message_id == text

    def test_a_changed_contact_is_built(self) -> None:
        event = event_from_item(item("contact", b'{"UserName":"@peer","NickName":"A&amp;B","ContactFlag":3}'), "@me")

        assert event == ContactChanged(contact=Contact(id=CHAT, nickname="A&B"))

    def test_a_deleted_contact_is_named(self) -> None:
        assert event_from_item(item("deleted", b'{"UserName":"@peer"}'), "@me") == ContactDeleted(id=CHAT)

    @pytest.mark.parametrize(
        ("kind", "raw"),
        [("message", b'{"MsgType":"x"}'), ("message", b"7"), ("contact", b"{}"), ("deleted", b"null"),
         ("message", b'{"MsgId":{"a":1},"Content":"\xff"}')],
    )  # fmt: skip
    def test_a1_what_cannot_be_read_is_kept_and_raises_nothing(self, kind: str, raw: bytes) -> None:
        event = event_from_item(item(kind, raw), "@me")

        assert isinstance(event, QuarantinedMessage)
        assert event.raw == raw.decode("utf-8", "replace")
        assert event.reason

    def test_c2_raw_control_characters_in_a_text_are_read(self) -> None:
        raw = b'{"MsgId":"1","MsgType":1,"FromUserName":"@peer","Content":"a\x00\x01\nb"}'
        event = event_from_item(item("message", raw), "@me")

        assert isinstance(event, TextMessage)
        assert event.text == "a\x00\x01\nb"

    def test_c4_a_lone_surrogate_is_replaced(self) -> None:
        raw = b'{"MsgId":"1","MsgType":1,"FromUserName":"@peer","Content":"a\\ud83db"}'

        event_to_json(event_from_item(item("message", raw), "@me")).encode()
