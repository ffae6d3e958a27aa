"""Whose message, in which chat, and what it says: computed once, for every direction."""

from __future__ import annotations

import msgspec
import pytest

from webwx.errors import NotForwardable
from webwx.model.contacts import ContactId
from webwx.model.messages import (
    Event,
    ImageMessage,
    Message,
    MessageRecalled,
    PhoneActivity,
    Receipt,
    SystemMessage,
    TextMessage,
    UnknownMessage,
    message_from_wire,
)
from webwx.protocol.codec import write_json
from webwx.protocol.content import RecallNotice, escape, read_image, write_image, write_recall_notice
from webwx.protocol.messages import WireMessage

ME, PEER, ROOM, MEMBER = "@me", "@peer", "@@room", "@member"

KEYS = {"aeskey": "00aa", "cdnthumburl": "3057", "cdnmidimgurl": "3057", "md5": "ffee", "length": "54321"}


def event(sender: str, receiver: str, content: str = "hi", *, msg_type: int = 1, **more: object) -> Event:
    wire = WireMessage(
        msg_id="9223372036854775807", from_user_name=sender, to_user_name=receiver, msg_type=msg_type, content=content,
        create_time=1_560_000_000, **more,
    )  # fmt: skip
    return message_from_wire(wire, ME, write_json(wire))


class TestC13WhoSaidItAndWhere:
    @pytest.mark.parametrize(
        ("from_to", "content", "chat", "sender", "is_self"),
        [
            ((PEER, ME), "hi", PEER, PEER, False),
            ((ME, PEER), "hi", PEER, ME, True),
            ((ME, "filehelper"), "hi", "filehelper", ME, True),
            (("filehelper", ME), "hi", "filehelper", "filehelper", False),
            ((ROOM, ME), f"{MEMBER}:<br/>hi", ROOM, MEMBER, False),
            ((ME, ROOM), "hi", ROOM, ME, True),
            ((ROOM, ME), "hi", ROOM, None, False),
            (("", PEER), "hi", PEER, ME, True),
        ],
        ids=["peer", "own", "own to filehelper", "phone", "member", "own in room", "nobody in room", "nameless own"],
    )
    def test_of_a_text(
        self, from_to: tuple[str, str], content: str, chat: str, sender: str | None, is_self: bool
    ) -> None:
        message = event(*from_to, content)

        assert isinstance(message, TextMessage)
        assert (message.chat, message.sender, message.is_self, message.text) == (chat, sender, is_self, "hi")
        assert message.content == content

    def test_of_a_notice_nobody_did(self) -> None:
        notice = event(ROOM, ME, '"张三" joined &lt;a href="x"&gt;undo&lt;/a&gt;', msg_type=10000)

        assert isinstance(notice, SystemMessage)
        assert (notice.chat, notice.sender, notice.is_self, notice.text) == (ROOM, None, False, '"张三" joined undo')


class TestC10TheAuthorInAChatroom:
    @pytest.mark.parametrize(
        ("content", "sender", "text"),
        [
            ("@abc:<br/>l1\nl2", "@abc", "l1\nl2"),
            ("@ABC:<br/>hi", "@ABC", "hi"),
            ("@abc:\nhi", "@abc", "hi"),
            ("wxid_x:<br/>hi", "wxid_x", "hi"),
            ("gh_123:<br/>hi", "gh_123", "hi"),
            ("@abc:<br/>@def:<br/>hi", "@abc", "@def:\nhi"),
            ("@abc:<br/>", "@abc", ""),
            ("@abc: hi", None, "@abc: hi"),
            ("你 好:<br/>hi", None, "你 好:\nhi"),
            ("hi", None, "hi"),
        ],
    )
    def test_is_the_prefix_and_never_oneself(self, content: str, sender: str | None, text: str) -> None:
        message = event(ROOM, ME, content)

        assert isinstance(message, TextMessage)
        assert (message.sender, message.text, message.is_self) == (sender, text, False)

    @pytest.mark.parametrize("from_to", [(PEER, ME), (ME, ROOM), (ME, PEER)])
    def test_is_looked_for_nowhere_else(self, from_to: tuple[str, str]) -> None:
        message = event(*from_to, "@abc:<br/>hi")

        assert isinstance(message, TextMessage)
        assert (message.text, message.payload) == ("@abc:\nhi", "@abc:<br/>hi")


class TestImage:
    @pytest.mark.parametrize("prefix", ["", f"{MEMBER}:<br/>"])
    def test_can_be_forwarded_by_the_keys_in_its_content(self, prefix: str) -> None:
        image = event(ROOM if prefix else PEER, ME, prefix + escape(write_image(KEYS)) + "<br/>", msg_type=3)

        assert isinstance(image, ImageMessage)
        assert image.can_forward
        assert read_image(image.forward_content) == {**KEYS, "cdnthumbaeskey": "00aa"}

    @pytest.mark.parametrize("content", ["@0a1b2c", "", escape('<msg><img length="1" /></msg>'), "&lt;msg&gt;"])
    def test_without_keys_cannot_and_names_the_way_round(self, content: str) -> None:
        image = event(PEER, ME, content, msg_type=3)

        assert isinstance(image, ImageMessage)
        assert not image.can_forward
        with pytest.raises(NotForwardable, match="download it"):
            _ = image.forward_content


class TestUnknownMessage:
    @pytest.mark.parametrize("type_", [34, 42, 43, 47, 49, 62, 9999, 0])
    def test_keeps_every_field_of_a_kind_without_a_class(self, type_: int) -> None:
        unknown = event(PEER, ME, "&lt;msg/&gt;", msg_type=type_, voice_length=1200, file_name="报告.pdf")

        assert isinstance(unknown, UnknownMessage)
        fields = msgspec.json.decode(unknown.raw)
        assert (unknown.message_type, fields["VoiceLength"], fields["FileName"]) == (type_, 1200, "报告.pdf")

    def test_a_location_is_no_text(self) -> None:
        assert isinstance(event(PEER, ME, "长城:<br/>/cgi-bin/x", sub_msg_type=48), UnknownMessage)

    @pytest.mark.parametrize(
        ("delivered", "kept"),
        [
            (b'{\n"MsgId": "1",\n"Content": "a\\nb"\n}', '{"MsgId":"1","Content":"a\\nb"}'),
            (b'{"MsgId":"1","Content":"\xff"}', '{"MsgId":"1","Content":"\ufffd"}'),
            (b'{"MsgId":"1","Content":"a\nb"}', '{"MsgId":"1","Content":"a\\nb"}'),
        ],
        ids=["lines", "broken UTF-8", "control characters"],
    )
    def test_keeps_them_on_one_clean_line(self, delivered: bytes, kept: str) -> None:
        unknown = message_from_wire(WireMessage(msg_id="1", msg_type=9999), ME, delivered)

        assert isinstance(unknown, UnknownMessage)
        assert bytes(unknown.raw).decode() == kept


class TestPhoneActivity:
    def test_tells_which_chats_are_recent(self) -> None:
        activity = event(ME, ME, msg_type=51, status_notify_code=4, status_notify_user_name="@a,@@b,,filehelper,")

        assert activity == PhoneActivity(code=4, chat=ContactId(ME), recent=("@a", "@@b", "filehelper"))

    def test_tells_which_chat_was_opened(self) -> None:
        activity = event(ME, PEER, msg_type=51, status_notify_code=2, status_notify_user_name=PEER)

        assert activity == PhoneActivity(code=2, chat=ContactId(PEER))


def notice(text: str = '"张三" 撤回了一条消息', **ids: str) -> str:
    return escape(write_recall_notice(RecallNotice(message_id="111", text=text, **ids)))


class TestE14RecallNotices:
    @pytest.mark.parametrize(
        ("from_to", "content", "chat", "is_self", "message_id"),
        [
            ((PEER, ME), notice(), PEER, False, "111"),
            ((ROOM, ME), f"{MEMBER}:<br/>{notice()}", ROOM, False, "111"),
            ((ROOM, ME), notice("你撤回了一条消息"), ROOM, True, "111"),
            ((ME, PEER), notice("你撤回了一条消息"), PEER, True, "111"),
            ((PEER, ME), notice("You've recalled a message"), PEER, True, "111"),
            ((PEER, ME), notice('"Zhang San" has recalled a message.'), PEER, False, "111"),
            ((PEER, ME), notice(new_message_id="222", old_message_id="333"), PEER, False, "222"),
            ((PEER, ME), notice().replace("111", "0"), PEER, False, "0"),
            ((PEER, ME), notice().replace("\n", "<br/>"), PEER, False, "111"),
            ((PEER, ME), notice('"<msgid>6</msgid>" 撤回了一条消息'), PEER, False, "111"),
            ((PEER, ME), notice().replace("&lt;/sysmsg&gt;", ""), PEER, False, "111"),
        ],
        ids=["peer", "member", "own in room", "own", "own from the peer", "English", "newmsgid", "msgid 0",
             "line breaks", "forged by a nickname", "truncated"],
    )  # fmt: skip
    def test_name_the_message_that_is_gone(
        self, from_to: tuple[str, str], content: str, chat: str, is_self: bool, message_id: str
    ) -> None:
        recalled = event(*from_to, content, msg_type=10002)

        assert isinstance(recalled, MessageRecalled)
        assert (recalled.chat, recalled.is_self, recalled.message_id) == (chat, is_self, message_id)
        assert recalled.content == content
        assert recalled.original is None

    def test_tell_what_is_shown_instead(self) -> None:
        recalled = event(
            PEER, ME, notice('"张三<span class="emoji emoji1f602"></span>" 撤回了一条消息'), msg_type=10002
        )

        assert isinstance(recalled, MessageRecalled)
        assert recalled.text == '"张三😂" 撤回了一条消息'

    @pytest.mark.parametrize("content", ["", "hi", escape('<sysmsg type="pat"><pat/></sysmsg>')])
    def test_of_an_unknown_shape_are_kept_raw(self, content: str) -> None:
        assert isinstance(event(PEER, ME, content, msg_type=10002), UnknownMessage)


class TestReceipt:
    receipt = Receipt(message_id="9007199254740993", client_id="1" * 17, chat=ContactId("@a"), time=1_560_000_000.5)

    @pytest.mark.parametrize(("seconds", "can"), [(-5, True), (0, True), (119, True), (120, True), (121, False)])
    def test_e11_can_be_recalled_for_two_minutes(self, seconds: float, can: bool) -> None:
        assert self.receipt.can_recall(self.receipt.time + seconds) is can

    def test_e10_without_the_servers_id_cannot_be_recalled(self) -> None:
        assert not msgspec.structs.replace(self.receipt, message_id="").can_recall(self.receipt.time)

    def test_goes_through_json_on_one_line_with_its_ids_as_texts(self) -> None:
        text = self.receipt.to_json()

        assert Receipt.from_json(text) == self.receipt
        assert '"message_id":"9007199254740993"' in text
        assert "\n" not in text

    def test_passes_over_keys_it_does_not_know(self) -> None:
        assert Receipt.from_json(self.receipt.to_json()[:-1] + ',"kind":"text"}') == self.receipt

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"message_id":1}', b"\xff", "null"])
    def test_is_read_from_nothing_else(self, text: str | bytes) -> None:
        with pytest.raises(ValueError, match="This is no receipt"):
            Receipt.from_json(text)


def test_a_message_can_be_a_key_and_cannot_be_changed() -> None:
    message = event(PEER, ME)

    assert isinstance(message, Message)
    assert {message: 1}[event(PEER, ME)] == 1
    with pytest.raises(AttributeError):
        message.content = "other"
