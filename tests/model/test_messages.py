"""The fields of messages and receipts."""

from __future__ import annotations

import msgspec
import pytest
from tests.message_fields import MessageFields

from webwx.errors import NotForwardable
from webwx.model.contacts import ContactId
from webwx.model.messages import ImageMessage, Quoted, QuoteMessage, Receipt, TextMessage, VideoMessage
from webwx.protocol.content import escape, read_image, write_image, write_message

PEER, ROOM, MEMBER = ContactId("@peer"), ContactId("@@room"), ContactId("@member")

KEYS = {"aeskey": "00aa", "cdnthumburl": "3057", "cdnmidimgurl": "3057", "md5": "ffee", "length": "54321"}
VIDEO_KEYS = {"aeskey": "00aa", "cdnvideourl": "3068", "length": "328666"}


def common(content: str, chat: ContactId = PEER) -> MessageFields:
    return {"message_id": "1", "chat": chat, "sender": MEMBER, "is_self": False, "time": 1, "content": content}


class TestImage:
    @pytest.mark.parametrize("prefix", ["", f"{MEMBER}:<br/>"])
    def test_can_be_forwarded_by_the_keys_in_its_content(self, prefix: str) -> None:
        image = ImageMessage(**common(prefix + escape(write_image(KEYS)) + "<br/>", ROOM if prefix else PEER))

        assert image.can_forward
        assert read_image(image.forward_content) == {**KEYS, "cdnthumbaeskey": "00aa"}

    @pytest.mark.parametrize("content", ["@0a1b2c", "", escape('<msg><img length="1" /></msg>'), "&lt;msg&gt;"])
    def test_without_keys_cannot_be_forwarded_and_the_error_names_the_alternative(self, content: str) -> None:
        image = ImageMessage(**common(content))

        assert not image.can_forward
        with pytest.raises(NotForwardable, match="download it"):
            _ = image.forward_content


class TestVideo:
    @pytest.mark.parametrize("prefix", ["", f"{MEMBER}:<br/>"])
    def test_can_be_forwarded_by_its_xml(self, prefix: str) -> None:
        xml = write_message("videomsg", VIDEO_KEYS)
        video = VideoMessage(**common(prefix + escape(xml) + "<br/>", ROOM if prefix else PEER), duration=2)

        assert video.can_forward
        assert video.forward_content == xml

    @pytest.mark.parametrize(
        "content", ["@0a1b2c", "", escape(write_message("videomsg", {"aeskey": "00"})),
                    escape(write_message("videomsg", {"cdnvideourl": "3068"}))],
    )  # fmt: skip
    def test_without_keys_cannot_be_forwarded_and_the_error_names_the_alternative(self, content: str) -> None:
        video = VideoMessage(**common(content), duration=2)

        assert not video.can_forward
        with pytest.raises(NotForwardable, match="download it"):
            _ = video.forward_content


def test_texts_and_replies_list_whom_they_mention() -> None:
    quoted = Quoted(message_id="", sender_name="", sender="", message_type=1, text="@小明 hi", content="")

    assert TextMessage(**common(""), text="@小明\u2005在吗").mentions("爬山队长", "小明")
    assert not TextMessage(**common(""), text="@小明\u2005在吗").mentions("爬山队长")
    assert QuoteMessage(**common(""), text="@小明\u2005在", quoted=quoted).mentions("小明")
    assert not QuoteMessage(**common(""), text="在", quoted=quoted).mentions("小明")


class TestReceipt:
    receipt = Receipt(message_id="9007199254740993", client_id="1" * 17, chat=ContactId("@a"), time=1_560_000_000.5)

    @pytest.mark.parametrize(("seconds", "can"), [(-5, True), (0, True), (119, True), (120, True), (121, False)])
    def test_can_be_recalled_for_two_minutes(self, seconds: float, can: bool) -> None:
        assert self.receipt.can_recall(self.receipt.time + seconds) is can

    def test_without_the_servers_id_cannot_be_recalled(self) -> None:
        assert not msgspec.structs.replace(self.receipt, message_id="").can_recall(self.receipt.time)

    def test_goes_through_json_on_one_line_with_its_ids_as_texts(self) -> None:
        text = self.receipt.to_json()

        assert Receipt.from_json(text) == self.receipt
        assert '"message_id":"9007199254740993"' in text
        assert "\n" not in text

    def test_ignores_unknown_keys(self) -> None:
        assert Receipt.from_json(self.receipt.to_json()[:-1] + ',"kind":"text"}') == self.receipt

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"message_id":1}', b"\xff", "null"])
    def test_other_json_is_refused(self, text: str | bytes) -> None:
        with pytest.raises(ValueError, match="This is not a receipt"):
            Receipt.from_json(text)


def test_a_message_is_hashable_and_immutable() -> None:
    message = TextMessage(**common("hi"), text="hi")

    assert {message: 1}[TextMessage(**common("hi"), text="hi")] == 1
    with pytest.raises(AttributeError):
        message.content = "other"  # type: ignore[misc]  # that is the mistake
