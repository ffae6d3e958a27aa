"""
Another client on our server: itchat-uos from PyPI, unmodified, on a sandbox in its own process.

Its sends are checked on the phones, and its received messages against those of the phones. Then it and our client are
logged in as two friends, and talk to each other.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import random
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from tests.digests import md5
from tests.interop.conftest import expect
from tests.interop.phones import Phones
from tests.interop.processes import WEBWX, Lines, photograph

from webwx import AsyncClient, ImageMessage, MediaUnavailable, MessageRecalled, QrCode, TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx import Event

pytestmark = pytest.mark.verify

DRIVER = Path(__file__).with_name("itchat_driver.py")
TEXT = "第一行 <b>&amp;</b> \"'\n第二行 😄🇨🇳 [微笑] \\n /path"


@pytest.fixture
def sandbox(start: Callable[..., Lines]) -> dict[str, Any]:
    """The addresses of a sandbox."""
    answer: dict[str, Any] = json.loads(
        start(WEBWX, "sandbox", "--port", "0", "--json", "--switch", "picture_format=sent").next()
    )
    return answer


@pytest.fixture
def itchat(start: Callable[..., Lines], sandbox: dict[str, Any], phones: Phones) -> Lines:
    """The other client, logged in as 小明."""
    return log_in(start(sys.executable, DRIVER), sandbox["url"], phones)


def log_in(driver: Lines, url: str, phones: Phones, **options: str) -> Lines:
    code = driver.ask(do="login", server=url, **options)
    assert code["is_png"]
    phones.scan_and_confirm("xiaoming", code["uuid"])
    login = json.loads(driver.next())
    assert (login["logged_in"], login["nickname"], login["uin"]) == (True, "小明", 1000000001)
    assert login["id"].startswith("@")
    return driver


def chat_named(phones: Phones, who: str, name: str) -> dict[str, Any]:
    """Return the chat with this name on a person's phone."""
    [chat] = [chat for chat in phones.chats(who) if chat["chat"] == name]
    return chat


def test_the_library_is_the_version_on_pypi() -> None:
    files = importlib.metadata.distribution("itchat-uos").files
    assert files is not None
    assert importlib.metadata.version("itchat-uos") == "1.4.1"
    hashed = [file for file in files if file.hash is not None and file.suffix == ".py"]
    assert len(hashed) >= 15
    for file in hashed:
        assert file.hash is not None
        digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
        assert file.hash.value == base64.urlsafe_b64encode(digest).decode().rstrip("="), file


class TestTheirClientOnOurServer:
    def test_lists_contacts(self, itchat: Lines) -> None:
        listed = itchat.ask(do="contacts")

        names = {nickname: (remark, identity) for nickname, remark, identity in listed["friends"]}
        assert {"小明", "阿华", "张三", "李雷"} == set(names)
        assert names["李雷"][0] == "Boss"
        assert all(identity.startswith("@") for _, identity in names.values())
        [[room, room_id, members]] = listed["chatrooms"]
        assert room == "周末爬山"
        assert room_id.startswith("@@")
        assert {"小明", "阿华", "张三", "李雷"} == set(members)

    def test_sends_and_recalls_a_text(self, itchat: Lines, phones: Phones) -> None:
        ahua = itchat.ask(do="find", nickname="阿华")["id"]

        sent = itchat.ask(do="send_text", to=ahua, text=TEXT)

        assert sent["BaseResponse"]["Ret"] == 0
        [message] = phones.messages("ahua", "xiaoming")
        assert (sent["MsgID"], TEXT, False) == (message["message_id"], message["text"], message["recalled"])
        assert itchat.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == 0
        [message] = phones.messages("ahua", "xiaoming")
        assert message["recalled"]
        # One recall is enough: a second recall is refused and leaves it recalled.
        assert itchat.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == -1

    def test_cannot_recall_after_two_minutes(self, itchat: Lines, phones: Phones) -> None:
        ahua = itchat.ask(do="find", nickname="阿华")["id"]
        sent = itchat.ask(do="send_text", to=ahua, text="too late")

        phones.do("wind", seconds=121)

        assert itchat.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == -1
        [message] = phones.messages("ahua", "xiaoming")
        assert not message["recalled"]

    @pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png")])
    def test_sends_a_picture(self, itchat: Lines, phones: Phones, tmp_path: Path, kind: str, suffix: str) -> None:
        # More than one chunk: PNG noise of this size has about 770 KB.
        content = photograph(kind, seed=3)
        file = tmp_path / f"照片 {suffix}.{suffix}"
        file.write_bytes(content)

        sent = itchat.ask(do="send_image", to="filehelper", path=str(file))

        assert sent["BaseResponse"]["Ret"] == 0
        [message] = phones.messages("xiaoming", "filehelper")
        assert (md5(content), len(content), "image") == (message["md5"], message["size"], message["kind"])

    @pytest.mark.parametrize(
        ("verb", "name", "kind"), [("send_file", "报告 2026.bin", "file"), ("send_video", "a.mp4", "video")]
    )
    def test_sends_a_file_and_a_video(
        self, itchat: Lines, phones: Phones, tmp_path: Path, verb: str, name: str, kind: str
    ) -> None:
        content = random.Random(9).randbytes(1_200_000)
        file = tmp_path / name
        file.write_bytes(content)
        ahua = itchat.ask(do="find", nickname="阿华")["id"]

        assert itchat.ask(do=verb, to=ahua, path=str(file))["BaseResponse"]["Ret"] == 0

        [message] = phones.messages("ahua", "xiaoming")
        assert (kind, md5(content), len(content)) == (message["kind"], message["md5"], message["size"])

    @pytest.mark.parametrize(
        ("kind", "verb", "heard_as"), [("file", "file", "Attachment"), ("video", "video", "Video")]
    )
    def test_receives_a_file_and_a_video(
        self, itchat: Lines, phones: Phones, kind: str, verb: str, heard_as: str
    ) -> None:
        content = random.Random(10).randbytes(700_000)
        named = {"name": "照片 (1).zip"} if kind == "file" else {}

        phones.do(verb, **{"from": "ahua"}, to="me", content=base64.b64encode(content).decode(), **named)

        heard = itchat.ask(do="receive")
        assert (heard["type"], heard["md5"]) == (heard_as, md5(content))

    def test_sets_a_remark(self, itchat: Lines, phones: Phones) -> None:
        ahua = itchat.ask(do="find", nickname="阿华")["id"]

        assert itchat.ask(do="set_remark", of=ahua, remark="老板")["BaseResponse"]["Ret"] == 0

        remarks = {nickname: remark for nickname, remark, _ in itchat.ask(do="contacts")["friends"]}
        assert remarks["阿华"] == "老板"

    def test_creates_and_changes_a_chatroom(self, itchat: Lines, phones: Phones) -> None:
        ids = {name: itchat.ask(do="find", nickname=name)["id"] for name in ("阿华", "张三", "李雷")}

        made = itchat.ask(do="create_chatroom", members=[ids["阿华"], ids["张三"]], topic="读书会")
        assert made["BaseResponse"]["Ret"] == 0
        room = made["ChatRoomName"]
        assert room.startswith("@@")
        steps: list[dict[str, Any]] = [
            {"do": "rename_chatroom", "topic": "周三读书会"},
            {"do": "add_members", "members": [ids["李雷"]]},
            {"do": "remove_members", "members": [ids["张三"]]},
            {"do": "send_text", "text": "几点？"},
        ]
        for step in steps:
            where = {"to": room} if step["do"] == "send_text" else {"chatroom": room}
            assert itchat.ask(**step, **where)["BaseResponse"]["Ret"] == 0, step

        shown = {name: chat_named(phones, who, "周三读书会") for name, who in (("阿华", "ahua"), ("李雷", "lilei"))}
        assert all("几点？" in [message["text"] for message in chat["messages"]] for chat in shown.values())
        [members] = [names for name, _, names in itchat.ask(do="contacts")["chatrooms"] if name == "周三读书会"]
        assert {"小明", "阿华", "李雷"} == set(members)

    def test_receives_a_text_a_picture_and_a_recall(self, itchat: Lines, phones: Phones) -> None:
        content = photograph("JPEG", seed=4)

        phones.do("say", **{"from": "ahua"}, to="me", text=TEXT)
        heard = itchat.ask(do="receive")
        assert (heard["type"], heard["text"]) == ("Text", TEXT)
        assert itchat.ask(do="find", nickname="阿华")["id"] == heard["from"]

        picture_id = phones.picture("ahua", "me", content)
        heard = itchat.ask(do="receive")
        assert ("Picture", picture_id, md5(content)) == (heard["type"], heard["id"], heard["md5"])

        phones.do("recall", **{"from": "ahua"}, to="me")
        heard = itchat.ask(do="receive")
        assert (heard["type"], heard["text"]) == ("Note", '"阿华" 撤回了一条消息')
        assert f"<msgid>{picture_id}</msgid>" in heard["content"]

    def test_recognises_the_sender_in_a_chatroom(self, itchat: Lines, phones: Phones) -> None:
        phones.do("say", **{"from": "zhangsan"}, to="周末爬山", text="几点出发？")

        heard = itchat.ask(do="receive")

        assert (heard["type"], heard["text"], heard["author"]) == ("Text", "几点出发？", "张三")
        assert heard["from"].startswith("@@")

    def test_continues_with_a_saved_login(
        self, start: Callable[..., Lines], sandbox: dict[str, Any], phones: Phones, tmp_path: Path
    ) -> None:
        saved = str(tmp_path / "itchat.pkl")
        log_in(start(sys.executable, DRIVER), sandbox["url"], phones, saved=saved).end()
        phones.do("say", **{"from": "ahua"}, to="me", text="while you were away")

        again = start(sys.executable, DRIVER)
        login = again.ask(do="login", server=sandbox["url"], saved=saved)

        assert (login["logged_in"], login["nickname"]) == (True, "小明")
        assert again.ask(do="receive")["text"] == "while you were away"

    def test_logs_out(self, itchat: Lines, phones: Phones) -> None:
        assert itchat.ask(do="logout")["BaseResponse"]["Ret"] == 0

        with pytest.raises(OSError, match="409"):
            phones.do("log-out", who="me")  # There is no web login any more.

    def test_notices_that_the_phone_ended_its_login(self, itchat: Lines, phones: Phones) -> None:
        phones.do("log-out", who="me")

        assert itchat.ask(do="receive")["type"] == "Ended"


class TestTheirClientAndOurs:
    """小明 uses itchat-uos, and 阿华 uses webwx."""

    async def test_send_texts_and_pictures_and_recall_them(
        self, itchat: Lines, sandbox: dict[str, Any], phones: Phones, tmp_path: Path
    ) -> None:
        theirs, ours = photograph("JPEG", seed=5), photograph("PNG", seed=6)
        their_file = tmp_path / "theirs.jpg"
        their_file.write_bytes(theirs)
        ahua = itchat.ask(do="find", nickname="阿华")["id"]

        def scan(code: QrCode) -> None:
            phones.scan_and_confirm("ahua", unquote(code.url.rpartition("/")[2]))

        async with AsyncClient(server=sandbox["url"]) as client, aclosing(client.events(include_all=False)) as events:
            await client.login(show_qr=scan)
            xiaoming = client.contacts.find(nickname="小明")

            # A text from them to us, and its recall.
            sent = itchat.ask(do="send_text", to=ahua, text=TEXT)
            text = expect(TextMessage, await anext(events))
            assert (text.message_id, text.text, text.sender, text.is_self) == (sent["MsgID"], TEXT, xiaoming.id, False)
            assert itchat.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == 0
            await heard_recall(events, itchat, by_us=False, original=text)

            # The same from us to them.
            receipt = await client.send_text(xiaoming, TEXT)
            heard = itchat.ask(do="receive")
            assert (heard["type"], heard["id"], heard["text"]) == ("Text", receipt.message_id, TEXT)
            await client.recall(receipt)
            await heard_recall(events, itchat, by_us=True, message_id=receipt.message_id)

            # A picture from them to us; it is recalled, and then forwarded back to them.
            sent = itchat.ask(do="send_image", to=ahua, path=str(their_file))
            picture = expect(ImageMessage, await anext(events))
            assert (picture.message_id, md5(await client.download(picture))) == (sent["MsgID"], md5(theirs))
            assert itchat.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == 0
            recalled = await heard_recall(events, itchat, by_us=False, original=picture)
            with pytest.raises(MediaUnavailable):
                await client.download(picture)
            forwarded = await client.forward(recalled, xiaoming)
            heard = itchat.ask(do="receive")
            assert (heard["type"], heard["id"], heard["md5"]) == ("Picture", forwarded.message_id, md5(theirs))

            # A picture from us to them, and its recall.
            receipt = await client.send_image(xiaoming, ours)
            heard = itchat.ask(do="receive")
            assert (heard["type"], heard["id"], heard["md5"]) == ("Picture", receipt.message_id, md5(ours))
            await client.recall(receipt)
            await heard_recall(events, itchat, by_us=True, message_id=receipt.message_id)

        assert [each["recalled"] for each in phones.messages("xiaoming", "ahua")] == [True, True, True, False, True]


async def heard_recall(
    events: AsyncIterator[Event],
    itchat: Lines,
    *,
    by_us: bool,
    message_id: str = "",
    original: TextMessage | ImageMessage | None = None,
) -> MessageRecalled:
    """Check the recall on both sides: each side has its own text, and both have the same message."""
    message_id = original.message_id if original else message_id
    recalled = expect(MessageRecalled, await anext(events))
    assert (recalled.message_id, recalled.is_self, recalled.original) == (message_id, by_us, original)
    assert recalled.text == ("你撤回了一条消息" if by_us else '"小明" 撤回了一条消息')
    heard = itchat.ask(do="receive")
    assert (heard["type"], heard["text"]) == ("Note", '"阿华" 撤回了一条消息' if by_us else "你撤回了一条消息")
    assert f"<msgid>{message_id}</msgid>" in heard["content"]
    return recalled
