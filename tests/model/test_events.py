"""The events of a sync: in order, without loss, and through JSON unchanged."""

from __future__ import annotations

import json
import tracemalloc
from typing import Literal, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.corpus import said_of
from tests.delivered import FIELDS, VALUES
from tests.message_fields import CommonFields
from tests.samples import sample

from webwx.model.contacts import Contact, ContactId
from webwx.model.delivery import MAX_ITEM
from webwx.model.events import (
    Arrived,
    ContactChanged,
    ContactDeleted,
    ContinuityLost,
    IdentityAmbiguous,
    Item,
    LoopDetected,
    QuarantinedMessage,
    StateTimedOut,
    event_from_item,
    event_from_json,
    event_to_json,
    identify,
)
from webwx.model.messages import (
    AnyMessage,
    Event,
    ImageMessage,
    Message,
    MessageRecalled,
    PhoneActivity,
    SystemMessage,
    TextMessage,
    UnknownMessage,
    WrittenMessage,
)
from webwx.protocol.codes import MessageType
from webwx.protocol.messages import WireMessage

CHAT = ContactId("@peer")
COMMON: CommonFields = {
    "message_id": "9223372036854775807",
    "chat": CHAT,
    "sender": CHAT,
    "is_self": False,
    "time": 1_560_000_000,
}

TEXT = TextMessage(**COMMON, content="a&amp;b<br/>😀", text="a&b\n😀")
IMAGE = ImageMessage(**COMMON, content="&lt;msg&gt;")
UNKNOWN = UnknownMessage(**COMMON, content="x", message_type=49)


def recalled(original: AnyMessage | None) -> MessageRecalled:
    return MessageRecalled(
        message_id="1", chat=CHAT, is_self=False, time=1, text="张三 撤回了", content="&lt;sysmsg", original=original
    )


EVENTS = {
    "message.text": TEXT,
    "message.image": IMAGE,
    "message.system": msgspec.structs.replace(SystemMessage(**COMMON, content="x", text="x"), sender=None),
    "message.unknown": UNKNOWN,
    "message.recalled": recalled(None),
    "phone.activity": PhoneActivity(code=4, chat=CHAT, recent=(CHAT,)),
    "contact.changed": ContactChanged(contact=Contact(id=CHAT, nickname="张三")),
    "contact.deleted": ContactDeleted(id=CHAT),
    "identity.ambiguous": IdentityAmbiguous(identity=12, contact=Contact(id=CHAT, nickname="张三"), candidates=(3, 5)),
    "loop.detected": LoopDetected(chat=CHAT, replies=20, seconds=60.0),
    "state.timed_out": StateTimedOut(chat=CHAT, step="Survey.age"),
    "message.quarantined": QuarantinedMessage(raw='{"MsgType":"x"}', reason="MsgId is missing"),
}


@pytest.mark.parametrize("kind", get_args(AnyMessage), ids=lambda kind: kind.__name__)
def test_a_message_of_every_kind_goes_through_json(kind: type[AnyMessage]) -> None:
    message: AnyMessage = sample(kind)
    line = event_to_json(message)

    assert json.loads(line)["message_id"] == message.message_id
    assert event_from_json(line) == message
    assert event_from_json(event_to_json(recalled(message))) == recalled(message)


def test_the_union_of_messages_has_every_kind() -> None:
    def below(kind: type[Message]) -> set[type[Message]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    assert set(get_args(AnyMessage)) == below(Message) - {Message, WrittenMessage}


Kind = Literal["message", "contact", "deleted", "gap"]

KINDS: tuple[Kind, ...] = ("message", "contact", "deleted")


def item(kind: Kind, raw: bytes) -> Item:
    return Item(kind=kind, raw=msgspec.Raw(raw))


class TestThroughJson:
    @pytest.mark.parametrize(("name", "event"), EVENTS.items())
    def test_an_event_is_one_line_that_names_its_kind(self, name: str, event: Event) -> None:
        line = event_to_json(event)

        assert json.loads(line)["type"] == event.type == name
        assert "\n" not in line
        assert event_from_json(line) == event
        assert event_from_json(line.encode()) == event

    @pytest.mark.parametrize("original", [TEXT, IMAGE, UNKNOWN])
    def test_a_recall_keeps_its_original(self, original: TextMessage | ImageMessage | UnknownMessage) -> None:
        assert event_from_json(event_to_json(recalled(original))) == recalled(original)

    def test_ids_are_texts(self) -> None:
        assert json.loads(event_to_json(TEXT))["message_id"] == "9223372036854775807"

    def test_characters_are_written_as_they_are(self) -> None:
        assert "😀" in event_to_json(TEXT)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"type":"nothing"}', '{"type":"message.text"}', b"\xff"])
    def test_other_json_is_refused(self, text: str | bytes) -> None:
        with pytest.raises(ValueError, match="This is not an event"):
            event_from_json(text)


class TestEverythingIsAnEvent:
    @settings(derandomize=True, database=None)
    @given(some.dictionaries(some.sampled_from(FIELDS), VALUES))
    def test_for_any_fields(self, fields: dict[str, object]) -> None:
        event = event_from_item(item("message", json.dumps({"MsgId": "1"} | fields).encode()), "@me")

        assert event_from_json(event_to_json(event)) == event

    @settings(derandomize=True, database=None)
    @given(some.sampled_from(KINDS), some.binary())
    def test_for_any_bytes(self, kind: Kind, raw: bytes) -> None:
        event = event_from_item(item(kind, raw), "@me")

        assert event_from_json(event_to_json(event)) == event


class TestItems:
    @pytest.mark.parametrize(("number", "text"), [(2**53 + 1, "9007199254740993"), (2**63 - 1, "9223372036854775807")])
    def test_an_id_in_the_form_of_a_number_is_not_rounded(self, number: int, text: str) -> None:
        event = event_from_item(item("message", b'{"MsgId":%d,"MsgType":1,"FromUserName":"@peer"}' % number), "@me")

        assert isinstance(event, TextMessage)
        assert event.message_id == text

    def test_a_changed_contact_is_decoded(self) -> None:
        event = event_from_item(item("contact", b'{"UserName":"@peer","NickName":"A&amp;B","ContactFlag":3}'), "@me")

        assert event == ContactChanged(contact=Contact(id=CHAT, nickname="A&B"))

    def test_a_deleted_contact_is_named(self) -> None:
        assert event_from_item(item("deleted", b'{"UserName":"@peer"}'), "@me") == ContactDeleted(id=CHAT)

    @pytest.mark.parametrize(
        ("kind", "raw"),
        [("message", b'{"MsgType":"x"}'), ("message", b"7"), ("contact", b"{}"), ("deleted", b"null"),
         ("message", b'{"MsgId":{"a":1},"Content":"\xff"}'), ("gap", b"{"), ("gap", b"{}")],
    )  # fmt: skip
    def test_an_unreadable_item_is_quarantined(self, kind: Kind, raw: bytes) -> None:
        event = event_from_item(item(kind, raw), "@me")

        assert isinstance(event, QuarantinedMessage)
        assert event.raw == raw.decode("utf-8", "replace")
        assert event.reason

    def test_an_item_with_damaged_stored_bytes_is_quarantined(self) -> None:
        event = event_from_item(Item(kind="damaged"), "@me")

        assert event == QuarantinedMessage(raw="", reason="The stored bytes are damaged.")

    def test_raw_control_characters_in_a_text_are_read(self) -> None:
        raw = b'{"MsgId":"1","MsgType":1,"FromUserName":"@peer","Content":"a\x00\x01\nb"}'
        event = event_from_item(item("message", raw), "@me")

        assert isinstance(event, TextMessage)
        assert event.text == "a\x00\x01\nb"

    def test_a_lone_surrogate_is_replaced(self) -> None:
        raw = b'{"MsgId":"1","MsgType":1,"FromUserName":"@peer","Content":"a\\ud83db"}'

        event_to_json(event_from_item(item("message", raw), "@me")).encode()


def test_a_gap_is_an_event_of_its_own() -> None:
    gap = ContinuityLost(since=1.0, until=2.0, reason="purged")

    assert event_from_item(item("gap", msgspec.json.encode(gap)), "@me") == gap


def test_an_ambiguous_identity_is_an_event_of_its_own() -> None:
    doubt = EVENTS["identity.ambiguous"]

    assert event_from_item(item("gap", msgspec.json.encode(doubt)), "@me") == doubt


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("continuity_lost", ContinuityLost(since=1.0, until=2.0, reason="purged")),
        ("identity_ambiguous", EVENTS["identity.ambiguous"]),
    ],
)
def test_an_event_of_ours_is_read_as_earlier_versions_stored_it(name: str, event: Event) -> None:
    fields = json.loads(event_to_json(event))
    del fields["type"]
    earlier = json.dumps({"event": name, **fields}).encode()

    assert event_from_item(item("gap", earlier), "@me") == event


@pytest.mark.parametrize("stored", [b"{", b"[]", b"{}", b'{"event":"message.text"}', b'{"event":[]}'])
def test_a_damaged_event_of_ours_is_quarantined(stored: bytes) -> None:
    assert isinstance(event_from_item(item("gap", stored), "@me"), QuarantinedMessage)


def message(**fields: object) -> Item:
    usual = {"MsgId": "7", "FromUserName": "@peer", "ToUserName": "@me", "MsgType": 1, "Content": "hi", "CreateTime": 5}
    return item("message", json.dumps(usual | fields).encode())


class TestIdentify:
    def test_returns_chat_sender_and_time(self) -> None:
        found = identify(message(), "@me")

        assert (found.message_id, found.chat, found.sender, found.time, found.is_self) == (
            "7",
            "@peer",
            "@peer",
            5,
            False,
        )

    def test_puts_an_own_message_into_the_chat_of_its_recipient(self) -> None:
        found = identify(message(FromUserName="@me", ToUserName="@peer"), "@me")

        assert (found.chat, found.sender, found.is_self) == ("@peer", "@me", True)

    @pytest.mark.parametrize(("content", "sender"), [("@a:<br/>hi", "@a"), ("hi", None)])
    def test_in_a_chatroom_returns_the_member(self, content: str, sender: str | None) -> None:
        assert identify(message(FromUserName="@@room", Content=content), "@me").sender == sender

    def test_phone_activity_belongs_to_no_chat(self) -> None:
        assert identify(message(MsgType=MessageType.STATUS_NOTIFY, FromUserName="@me"), "@me").chat == ""

    @pytest.mark.parametrize("field", ["FromUserName", "MsgType", "Content", "CreateTime"])
    def test_digests_of_equal_ids_differ_by_type_sender_time_and_content(self, field: str) -> None:
        other = message(**{field: 3 if field in {"MsgType", "CreateTime"} else "@else"})

        assert identify(other, "@me").message_id == identify(message(), "@me").message_id
        assert identify(other, "@me").digest != identify(message(), "@me").digest

    def test_ignores_other_fields(self) -> None:
        one, other = identify(message(Status=4, NewMsgId=7), "@me"), identify(message(), "@me")

        assert msgspec.structs.replace(one, item=other.item, raw=other.raw) == other

    @pytest.mark.parametrize("none", ["", "0", 0])
    def test_the_digest_of_a_message_without_an_id_covers_all_fields(self, none: object) -> None:
        one, other = (identify(message(MsgId=none, Content=text), "@me").message_id for text in "ab")

        assert len({one, other, identify(message(MsgId=none, Content="a"), "@me").message_id}) == 2
        assert one not in {"", "0"}

    @pytest.mark.parametrize("raw", [b'{"MsgType":"x"}', b"[]", b"{", b'{"MsgId":{}}'])
    def test_an_unreadable_item_is_marked_as_quarantined(self, raw: bytes) -> None:
        found = identify(item("message", raw), "@me")

        assert found.is_quarantined
        assert found.message_id
        assert isinstance(event_from_item(item("message", raw), "@me"), QuarantinedMessage)

    @pytest.mark.parametrize("kind", ["message", "contact", "deleted"])
    def test_an_item_that_is_too_large_is_marked_as_quarantined(self, kind: Kind) -> None:
        fits = json.dumps({"MsgId": "7", "UserName": "@peer", "MsgType": 3}).encode().ljust(MAX_ITEM)
        for raw in (fits, fits + b" "):
            event = event_from_item(item(kind, raw), "@me")
            assert identify(item(kind, raw), "@me").is_quarantined is (len(raw) > MAX_ITEM)
            assert isinstance(event, QuarantinedMessage) is (len(raw) > MAX_ITEM)
        assert isinstance(event, QuarantinedMessage)
        assert event.reason == "it is larger than 1,048,576 bytes"

    @pytest.mark.parametrize("time", [-1, 2**63, 2**70])
    def test_an_impossible_time_is_0(self, time: int) -> None:
        assert identify(message(CreateTime=time), "@me").time == 0

    @pytest.mark.parametrize("kind", ["contact", "deleted"])
    def test_a_contact_item_has_an_event_and_no_id(self, kind: Kind) -> None:
        other = item(kind, b'{"UserName":"@peer","MsgId":"7"}')

        assert identify(other, "@me") == Arrived(item=other, raw=other.raw, read=event_from_item(other, "@me"))

    @pytest.mark.parametrize(("kind", "class_"), [("contact", ContactChanged), ("deleted", ContactDeleted)])
    def test_a_contact_item_has_all_its_fields_in_raw(
        self, kind: Kind, class_: type[ContactChanged | ContactDeleted]
    ) -> None:
        event = event_from_item(item(kind, b'{"UserName":"@peer","StarFriend":1}'), "@me")

        assert isinstance(event, class_)
        assert event.raw == {"UserName": "@peer", "StarFriend": 1}

    def test_a_kept_text_does_not_keep_the_answer_that_delivered_it(self) -> None:
        body = b'[{"MsgId":"1","MsgType":1},' + b'"%s"]' % (b"x" * 1_000_000)
        tracemalloc.start()
        try:
            answer = bytearray(body)
            (raw, _) = msgspec.json.decode(bytes(answer), type=list[msgspec.Raw])
            kept = identify(Item(kind="message", raw=raw), "@me").read
            del raw, _, answer
            assert tracemalloc.get_traced_memory()[0] < 500_000
        finally:
            tracemalloc.stop()
        assert isinstance(kept, TextMessage)
        assert kept.raw == {"MsgId": "1", "MsgType": 1}

    def test_a_text_is_decoded_to_its_event_at_once(self) -> None:
        assert identify(message(), "@me").read == event_from_item(message(), "@me")

    def test_other_messages_are_decoded_to_their_event_later(self) -> None:
        picture = message(MsgType=MessageType.IMAGE)
        read = identify(picture, "@me").read

        assert isinstance(read, WireMessage)
        assert event_from_item(picture, "@me", read) == event_from_item(picture, "@me")

    @pytest.mark.parametrize(("time", "is_backlog"), [(0, False), (99, True), (100, False)])
    def test_a_message_older_than_the_start_is_backlog(self, time: int, is_backlog: bool) -> None:
        assert identify(message(CreateTime=time), "@me", 100).is_backlog is is_backlog

    def test_shows_no_text(self) -> None:
        assert repr(identify(message(), "@me")) == "Arrived(7)"

    @given(fields=some.dictionaries(some.sampled_from(FIELDS), VALUES))
    @settings(derandomize=True, database=None)
    def test_values_fit_the_database_for_any_item(self, fields: dict[str, object]) -> None:
        delivered = item("message", json.dumps(fields).encode())
        found, event = identify(delivered, "@me"), event_from_item(delivered, "@me")

        assert found.is_quarantined == isinstance(event, QuarantinedMessage)
        assert -(2**63) <= found.digest < 2**63
        assert 0 <= found.time < 2**63
        for text in (found.message_id, found.chat, found.sender or ""):
            text.encode()


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("message.call", '"stage":"ended"'),
        ("message.history", '"title":"记录","description":"a: b","record":"<recordinfo/>"'),
        ("message.transfer", '"title":"微信转账","description":"收到转账0.01元"'),
        ("message.app", '"app_type":87,"title":"","description":"","url":""'),
        (
            "message.quote",
            '"text":"好","quoted":{"message_id":"1","sender_name":"A","sender":"wxid_a","message_type":1,"text":"","content":""}',
        ),
    ],
)
def test_an_event_in_an_older_format_can_be_read(kind: str, written: str) -> None:
    line = f'{{"type":"{kind}",{json.dumps(COMMON | {"content": ""})[1:-1]},{written}}}'
    assert json.loads(line) == said_of(json.loads(event_to_json(event_from_json(line))), json.loads(line))
