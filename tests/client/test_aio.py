"""A client and a world, joined in process: what a script promises itself from each verb."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import JPEG, PNG, take

from webwx.client.aio import AsyncClient
from webwx.errors import (
    AlreadyRunning,
    ConnectFailed,
    EmptyFile,
    EmptyText,
    LoggedOut,
    LoginRefused,
    LoginTimeout,
    MediaUnavailable,
    NoSuchFile,
    NotAPicture,
    NotForwardable,
    NotOnThisHost,
    ProtocolError,
    RecallExpired,
    RecallRefused,
    SendUnknown,
    TextTooLong,
    TooLarge,
    UnknownContact,
    UnsafeRedirect,
    WxError,
)
from webwx.model.contacts import Contact, ContactId
from webwx.model.messages import (
    Event,
    ImageMessage,
    MessageRecalled,
    PhoneActivity,
    Receipt,
    SystemMessage,
    TextMessage,
)
from webwx.protocol.codes import MAX_IMAGE, MAX_TEXT
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckReply
from webwx.sandbox.switches import Switches
from webwx.store.saved_login import LoginFile, LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response
    from webwx.protocol.sync import SyncReply
    from webwx.sandbox.core import Sandbox
    from webwx.sandbox.people import Message as WorldMessage
    from webwx.sandbox.world import World
    from webwx.transport.run import Transport

    Phone = Callable[[str], Callable[[QrCode], object]]


def later(world: World, *plan: tuple[float, Callable[[], object]]) -> None:
    """Let things happen once the polls of a client have let so many seconds pass."""
    begun, waiting = world.now, list(plan)

    def look(_: str) -> None:
        if waiting and world.now - begun >= waiting[0][0]:
            waiting.pop(0)[1]()

    world.subscribe(look)


def last(world: World, who: str, chat: str) -> WorldMessage:
    """The newest message of a chat on somebody's phone."""
    return world.inbox(who)[chat].messages[-1]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


async def test_the_main_job(world: World, log_in: LogIn) -> None:
    me, friend = await log_in("me"), await log_in("ahua")

    receipt = await me.send_text("阿华", "你好😀 <br/> & co\n第二行")
    [text] = await take(friend, 1)
    assert isinstance(text, TextMessage)
    assert (text.message_id, text.text, text.is_self) == (receipt.message_id, "你好😀 <br/> & co\n第二行", False)

    for _ in range(3):
        world.say("ahua", "me", "在吗")  # which their own client hears of too
    assert world.inbox("me")["ahua"].unread == 3
    await me.mark_read("阿华")
    assert world.inbox("me")["ahua"].unread == 0

    await me.recall(receipt)
    *_, notice = await take(friend, 4)
    assert isinstance(notice, MessageRecalled)
    assert (notice.message_id, notice.original, notice.is_self) == (receipt.message_id, text, False)

    sent = await friend.send_image("小明", JPEG)
    await friend.recall(sent)
    *_, image, gone = await take(me, 6)
    assert isinstance(image, ImageMessage)
    assert isinstance(gone, MessageRecalled)
    assert gone.original == image
    with pytest.raises(MediaUnavailable):
        await me.download(image)

    forwarded = await me.forward(gone, "filehelper")
    assert md5(JPEG) == md5(await me.download(forwarded))
    assert last(world, "me", "filehelper").picture.md5 == md5(JPEG)


class TestLogin:
    async def test_tells_who_is_logged_in(self, new_client: NewClient, world: World, phone_of: Phone) -> None:
        world.person("me").nickname = "A&B <3"
        client = new_client()
        account = await client.login(show_qr=phone_of("me"))

        assert account == client.account
        assert (account.nickname, account.host, account.uin) == ("A&B <3", "web", world.person("me").uin)

    async def test_knows_everybody_afterwards(self, log_in: LogIn) -> None:
        client = await log_in()

        assert client.contacts.find(remark="Boss").nickname == "李雷"
        [room] = [contact for contact in client.contacts if contact.kind == "chatroom"]
        assert [member.nickname for member in room.members] == ["小明", "阿华", "张三", "李雷"]

    async def test_goes_on_with_a_saved_login_by_one_request(
        self, log_in: LogIn, new_client: NewClient, counted: Counted, tmp_path: Path
    ) -> None:
        store = LoginFile(tmp_path / "me.json")
        first = await log_in(store=store)
        await first.close()
        second = new_client(store=LoginFile(tmp_path / "me.json"))

        assert await second.login(show_qr=pytest.fail) == first.account
        assert counted.calls == ["webwxsync"]
        assert second.contacts.find(remark="Boss") == first.contacts.find(remark="Boss")

    async def test_shows_a_new_code_when_one_has_expired(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            if len(shown) < 3:
                world.wind(301)
            else:
                world.scan()
                world.confirm()

        await new_client().login(show_qr=show)

        assert len({code.url for code in shown}) == 3

    async def test_gives_up_after_so_many_codes(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            world.wind(301)

        with pytest.raises(LoginTimeout, match="2 were shown"):
            await new_client().login(show_qr=show, max_codes=2)
        assert len(shown) == 2

    async def test_shows_a_new_code_when_the_phone_refused_one(self, new_client: NewClient, world: World) -> None:
        shown: list[QrCode] = []

        def show(code: QrCode) -> None:
            shown.append(code)
            world.scan()
            (world.cancel if len(shown) == 1 else world.confirm)()

        await new_client().login(show_qr=show)

        assert len(shown) == 2

    async def test_b14_one_code_outlives_many_polls(
        self, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        shown: list[QrCode] = []
        later(world, (50, world.scan), (100, world.confirm))
        await new_client().login(show_qr=shown.append)

        assert len(shown) == 1
        assert counted.calls.count("login") == 4  # waiting, scanned, waiting, confirmed

    async def test_b14_a_lost_poll_is_asked_again(
        self, new_client: NewClient, counted: Counted, phone_of: Phone
    ) -> None:
        shown: list[QrCode] = []
        counted.lose_answers("login")
        confirm = phone_of("me")
        await new_client().login(show_qr=lambda code: (shown.append(code), confirm(code)))

        assert len(shown) == 1

    async def test_b16_a_refused_account_is_told_and_nothing_is_saved(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        world.refuse_next("webwxnewloginpage", 1203)

        with pytest.raises(LoginRefused, match="File Transfer Helper"):
            await new_client(store=store).login(show_qr=phone_of("me"))
        assert store.load() is None

    async def test_b7_a_foreign_redirect_is_not_followed(
        self, new_client: NewClient, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        world.switches = Switches(redirect_origin="https://evil.example")

        with pytest.raises(UnsafeRedirect, match=r"evil\.example"):
            await new_client().login(show_qr=phone_of("me"))
        assert counted.calls == ["jslogin", "login"]

    async def test_stays_at_the_server_though_it_names_a_real_host(
        self, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        world.switches = Switches(redirect_origin="https://wx2.qq.com")

        assert (await new_client().login(show_qr=phone_of("me"))).nickname == "小明"

    async def test_a_snapshot_of_nobody_is_no_login(self, new_client: NewClient, world: World, phone_of: Phone) -> None:
        store = LoginMemory()
        world.refuse_next("webwxinit", 0)  # an empty answer that claims to be fine

        with pytest.raises(ProtocolError, match="does not say who is logged in"):
            await new_client(store=store).login(show_qr=phone_of("me"))
        assert store.load() is None

    async def test_draws_the_code_where_it_mixes_with_no_result(
        self, new_client: NewClient, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world.switches = Switches(auto_confirm=True)
        await new_client().login()
        printed = capsys.readouterr()

        assert printed.out == ""
        assert "Scan this with WeChat" in printed.err


class TestResumeAndLogout:
    async def test_resume_asks_nobody(self, log_in: LogIn, new_client: NewClient, counted: Counted) -> None:
        store = LoginMemory()
        account = (await log_in(store=store)).account
        client = new_client(store=store)

        assert await client.resume() == account
        assert counted.calls == []
        assert await client.check() == account

    async def test_resume_without_a_saved_login_says_so(self, new_client: NewClient) -> None:
        with pytest.raises(LoggedOut) as caught:
            await new_client().resume()
        assert caught.value.reason == "absent"

    async def test_logout_ends_it_on_both_sides(self, log_in: LogIn, world: World) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        await client.logout()

        assert store.load() is None
        assert world.logins.live(world.person("me")) is None
        with pytest.raises(LoggedOut):
            _ = client.account

    async def test_close_leaves_the_login_alive(self, log_in: LogIn, world: World) -> None:
        async with await log_in():
            pass

        assert world.logins.live(world.person("me")) is not None

    async def test_a_client_shows_no_key(self, log_in: LogIn, world: World) -> None:
        client = await log_in()

        assert repr(client) == "AsyncClient(Login(web, logged in))"


class TestSending:
    async def test_a_receipt_has_what_a_recall_needs(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        receipt = await client.send_text("Boss", "hi")

        assert receipt == Receipt(
            message_id=last(world, "lilei", "xiaoming").id,
            client_id=f"{int(world.now * 1000)}0000",
            chat=client.contacts.find(remark="Boss").id,
            time=world.now,
        )

    @pytest.mark.parametrize("to", ["Boss", "李雷"])
    async def test_people_are_named_by_remark_nickname_id_or_contact(
        self, log_in: LogIn, world: World, to: str
    ) -> None:
        client = await log_in()
        for each in (to, client.contacts.resolve(to), client.contacts.resolve(to).id):
            await client.send_text(each, "hi")

        assert len(world.inbox("lilei")["xiaoming"].messages) == 3

    @pytest.mark.parametrize("text", ["@fil@/etc/passwd", "@img@~/.ssh/id_rsa", "-", "<msg/>"])
    async def test_e15_text_is_text(self, log_in: LogIn, world: World, counted: Counted, text: str) -> None:
        await (await log_in()).send_text("filehelper", text)

        assert last(world, "me", "filehelper").text == text
        assert counted.calls == ["webwxsendmsg"]

    @pytest.mark.parametrize("content", [PNG, JPEG])
    async def test_a_picture_arrives_whole_from_a_path_and_from_bytes(
        self, log_in: LogIn, world: World, tmp_path: Path, content: bytes
    ) -> None:
        client = await log_in()
        path = tmp_path / "图 片.bin"
        path.write_bytes(content)
        for image in (content, path, str(path)):
            receipt = await client.send_image("阿华", image)

            assert last(world, "ahua", "xiaoming").picture.md5 == md5(content)
            assert await client.download(receipt.message_id) == content

    async def test_e1_a_large_picture_goes_in_chunks(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in()
        large = PNG + bytes(1024 * 1024)
        receipt = await client.send_image("filehelper", large)

        assert counted.calls == ["webwxuploadmedia"] * 3 + ["webwxsendmsgimg"]
        assert await client.download(receipt) == large

    async def test_e1_pictures_sent_at_once_do_not_mix(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        contents = [PNG + bytes([number]) * 600_000 for number in range(4)]
        receipts = await asyncio.gather(*(client.send_image("filehelper", content) for content in contents))

        assert [await client.download(receipt) for receipt in receipts] == contents

    async def test_b10_a_send_whose_answer_was_lost_is_in_doubt_and_not_repeated(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg", times=9)

        with pytest.raises(SendUnknown):
            await client.send_text("阿华", "once")
        assert counted.calls == ["webwxsendmsg"]
        assert len(world.inbox("ahua")["xiaoming"].messages) == 1

    async def test_b13_many_sends_at_once_have_distinct_ids(self, log_in: LogIn) -> None:
        client = await log_in()
        receipts = await asyncio.gather(*(client.send_text("filehelper", str(number)) for number in range(64)))

        assert len({receipt.client_id for receipt in receipts}) == 64

    async def test_b13_ids_go_on_growing_in_the_next_process(self, log_in: LogIn, new_client: NewClient) -> None:
        store = LoginMemory()
        async with await log_in(store=store) as first:
            earlier = await first.send_text("filehelper", "1")
        second = new_client(store=store)
        await second.resume()

        assert int((await second.send_text("filehelper", "2")).client_id) > int(earlier.client_id)


TEXT = TextMessage(
    message_id="1", chat=ContactId("filehelper"), sender=None, is_self=False, time=0, content="hi", text="hi"
)
SYSTEM = SystemMessage(
    message_id="1", chat=ContactId("filehelper"), sender=None, is_self=False, time=0, content="", text=""
)
RECALLED = MessageRecalled(message_id="1", chat=ContactId("@a"), is_self=False, time=0, text="", content="")
KEYLESS = ImageMessage(message_id="1", chat=ContactId("@a"), sender=None, is_self=False, time=0, content="@hash")


class TestNothingIsSentFor:
    @pytest.mark.parametrize(
        ("attempt", "kind"),
        [
            (lambda client: client.send_text("nobody", "hi"), UnknownContact),
            (lambda client: client.send_text("@stale", "hi"), UnknownContact),
            (lambda client: client.send_text(Contact(id=ContactId("@stale"), nickname="阿华"), "hi"), UnknownContact),
            (lambda client: client.send_text("", "hi"), UnknownContact),
            (lambda client: client.send_text("filehelper", ""), EmptyText),
            (lambda client: client.send_text("filehelper", "字" * (MAX_TEXT + 1)), TextTooLong),
            (lambda client: client.reply(msgspec.structs.replace(TEXT, chat="@stale"), "hi"), UnknownContact),
            (lambda client: client.reply(TEXT, ""), EmptyText),
            (lambda client: client.mark_read("nobody"), UnknownContact),
            (lambda client: client.send_image("nobody", PNG), UnknownContact),
            (lambda client: client.send_image("filehelper", b""), EmptyFile),
            (lambda client: client.send_image("filehelper", b"hello"), NotAPicture),
            (lambda client: client.send_image("filehelper", b"GIF89a" + bytes(9)), NotAPicture),
            (lambda client: client.send_image("filehelper", PNG[:8] + bytes(MAX_IMAGE)), TooLarge),
            (lambda client: client.forward(TEXT, "nobody"), UnknownContact),
            (lambda client: client.forward(SYSTEM, "filehelper"), NotForwardable),
            (lambda client: client.forward(RECALLED, "filehelper"), NotForwardable),
            (lambda client: client.forward(KEYLESS, "filehelper"), NotForwardable),
        ],
    )  # fmt: skip
    async def test_bad_input(
        self, log_in: LogIn, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]], kind: type[WxError]
    ) -> None:
        client = await log_in()

        with pytest.raises(kind):
            await attempt(client)
        assert counted.calls == []

    @pytest.mark.parametrize(
        ("size", "kind"), [(None, NoSuchFile), (0, EmptyFile), (5, NotAPicture), (MAX_IMAGE + 1, TooLarge)]
    )
    async def test_a_bad_file(
        self, log_in: LogIn, counted: Counted, tmp_path: Path, size: int | None, kind: type[WxError]
    ) -> None:
        client = await log_in()
        path = tmp_path / "x.png"
        if size is not None:
            with path.open("wb") as file:
                file.truncate(size)

        for image in (path, str(path)):
            with pytest.raises(kind):
                await client.send_image("filehelper", image)
        assert counted.calls == []

    async def test_a_folder(self, log_in: LogIn, counted: Counted, tmp_path: Path) -> None:
        client = await log_in()

        with pytest.raises(NoSuchFile, match="is no file"):
            await client.send_image("filehelper", tmp_path)
        assert counted.calls == []

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda client: client.send_text("filehelper", "hi"),
            lambda client: client.send_image("filehelper", PNG),
            lambda client: client.mark_read("filehelper"),
            lambda client: client.recall(Receipt(message_id="1", client_id="1", chat=ContactId("a"), time=0)),
            lambda client: client.forward(TEXT, "filehelper"),
            lambda client: client.reply(TEXT, "hi"),
            lambda client: client.download("1"),
            lambda client: client.list_contacts(),
            lambda client: client.check(),
            lambda client: client.logout(),
            lambda client: anext(client.events()),
        ],
    )
    async def test_anything_before_the_login(
        self, new_client: NewClient, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]]
    ) -> None:
        with pytest.raises(LoggedOut) as caught:
            await attempt(new_client())
        assert caught.value.reason == "absent"
        assert counted.calls == []


class TestRecall:
    async def test_after_119_seconds_still_works(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        world.wind(119)
        await client.recall(receipt)

        assert last(world, "ahua", "xiaoming").is_recalled

    @pytest.mark.parametrize(("seconds", "calls"), [(121, ["webwxrevokemsg"]), (123, [])])
    async def test_after_two_minutes_the_message_stays(
        self, log_in: LogIn, world: World, counted: Counted, seconds: float, calls: list[str]
    ) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        counted.calls.clear()
        world.wind(seconds)

        with pytest.raises(RecallExpired, match="it stays"):
            await client.recall(receipt)
        assert counted.calls == calls
        assert not last(world, "ahua", "xiaoming").is_recalled

    @pytest.mark.parametrize(("age", "kind"), [(119, RecallExpired), (10, RecallRefused)])
    async def test_what_the_server_refuses_is_told_by_the_receipts_age(
        self, log_in: LogIn, world: World, age: float, kind: type[WxError]
    ) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        world.wind(500)

        with pytest.raises(kind):
            await client.recall(msgspec.structs.replace(receipt, time=world.now - age))
        assert not last(world, "ahua", "xiaoming").is_recalled

    async def test_of_somebody_elses_message_is_refused_and_it_stays(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        theirs = world.say("ahua", "me", "mine")
        chat = client.contacts.resolve("阿华").id

        with pytest.raises(RecallRefused):
            await client.recall(Receipt(message_id=theirs.id, client_id="1", chat=chat, time=world.now))
        assert not last(world, "me", "ahua").is_recalled

    @pytest.mark.parametrize("message_id", ["1", "", "9007199254740992"])
    async def test_of_an_unknown_message_is_refused(self, log_in: LogIn, world: World, message_id: str) -> None:
        client = await log_in()

        with pytest.raises(RecallRefused):
            await client.recall(Receipt(message_id=message_id, client_id="1", chat=ContactId("@a"), time=world.now))

    async def test_a_second_time_is_refused(self, log_in: LogIn) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        await client.recall(receipt)

        with pytest.raises(RecallRefused):
            await client.recall(receipt)

    @pytest.mark.parametrize("to", ["阿华", "周末爬山", "filehelper"])
    async def test_e10_works_from_another_process_by_the_receipt_alone(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path, to: str
    ) -> None:
        async with await log_in(store=LoginFile(tmp_path / "me.json")) as first:
            kept = (await first.send_text(to, "oops")).to_json()
        second = new_client(store=LoginFile(tmp_path / "me.json"))
        await second.resume()
        await second.recall(Receipt.from_json(kept))

        assert last(world, "me", world.chat_id(world.person("me"), to)).is_recalled


class TestForward:
    async def test_a_recalled_picture_goes_on_though_its_bytes_are_gone(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.picture("ahua", "周末爬山", PNG)
        world.recall("ahua", "周末爬山")
        image, _ = await take(client, 2)
        await client.forward(image, "Boss")

        assert last(world, "lilei", "xiaoming").picture.md5 == md5(PNG)

    async def test_an_own_recalled_picture_goes_on_too(self, log_in: LogIn, world: World) -> None:
        world.switches = Switches(echo="on")
        client = await log_in()
        receipt = await client.send_image("阿华", JPEG)
        await client.recall(receipt)
        image, notice = await take(client, 2)
        assert isinstance(notice, MessageRecalled)
        assert (notice.is_self, notice.original) == (True, image)
        await client.forward(notice, "filehelper")

        assert last(world, "me", "filehelper").picture.md5 == md5(JPEG)

    async def test_uploads_nothing(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [image] = await take(client, 1)
        counted.calls.clear()
        await client.forward(image, "filehelper")

        assert counted.calls == ["webwxsendmsgimg"]

    async def test_a_text_goes_on_as_it_was_written(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "<br/> & 你好\n😀")
        [text] = await take(client, 1)
        await client.forward(text, "filehelper")

        assert last(world, "me", "filehelper").text == "<br/> & 你好\n😀"

    @pytest.mark.parametrize("form", ["hash", "keyless"])
    async def test_a_picture_without_keys_names_the_way_round(
        self, log_in: LogIn, world: World, counted: Counted, form: str
    ) -> None:
        world.switches = Switches(picture_content=form)
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [image] = await take(client, 1)
        counted.calls.clear()

        with pytest.raises(NotForwardable, match="download it while it is there"):
            await client.forward(image, "filehelper")
        assert counted.calls == []
        await client.send_image("filehelper", await client.download(image))


class Repeating(Counted):
    """Delivers each batch of messages twice."""

    _again: Response | None = None

    async def send(self, request: Request) -> Response:
        if request.endpoint == "webwxsync" and self._again is not None:
            again, self._again = self._again, None
            return again
        response = await super().send(request)
        if request.endpoint == "webwxsync" and WEBWXSYNC.decode_reply(response).add_msg_list:
            self._again = response
        return response


class Edited(Counted):
    """Changes what webwxsync answers on its way."""

    def __init__(self, inner: Transport, edit: Callable[[SyncReply], SyncReply]) -> None:
        super().__init__(inner)
        self.skeys: list[str] = []
        """With which every fetch was made."""
        self._edit = edit

    async def send(self, request: Request) -> Response:
        response = await super().send(request)
        if request.endpoint != "webwxsync":
            return response
        self.skeys.append(WEBWXSYNC.decode_request(request).credentials.skey)
        reply = self._edit(WEBWXSYNC.decode_reply(response))
        return msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(reply).body)


class Sticky(Counted):
    """Always says that there is something to fetch."""

    async def send(self, request: Request) -> Response:
        if request.endpoint != "synccheck":
            return await super().send(request)
        self.calls.append(request.endpoint)
        return SYNCCHECK.encode_reply(CheckReply(retcode=0, selector=2))


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, TextMessage)]


class TestEvents:
    async def test_come_in_order_each_once_over_many_batches(self, log_in: LogIn, world: World) -> None:
        world.switches = Switches(batch_size=2)
        client = await log_in()
        for number in range(7):
            world.say("ahua", "me", str(number))

        assert texts(await take(client, 7)) == list("0123456")

    async def test_a8_a_batch_that_says_more_is_followed_by_a_fetch_at_once(
        self, log_in: LogIn, world: World, sandbox: Sandbox
    ) -> None:
        """A full batch of two says that more waits."""

        def say_more(reply: SyncReply) -> SyncReply:
            return msgspec.structs.replace(reply, continue_flag=int(len(reply.add_msg_list) == 2))

        carrier = Edited(Loopback(sandbox), say_more)
        world.switches = Switches(batch_size=2)
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)  # the phone's greeting
        carrier.calls.clear()
        for number in range(5):
            world.say("ahua", "me", str(number))

        assert texts(await take(client, 5)) == list("01234")
        assert carrier.calls == ["synccheck", "webwxsync", "webwxsync", "webwxsync"]

    async def test_a10_a_batch_delivered_twice_is_handed_out_once(
        self, log_in: LogIn, world: World, sandbox: Sandbox
    ) -> None:
        client = await log_in(transport=Repeating(Loopback(sandbox)))
        events = client.events(include_all=False)
        world.say("ahua", "me", "1")
        world.recall("ahua", "me")
        got = [await anext(events), await anext(events)]
        world.say("ahua", "me", "2")
        got.append(await anext(events))
        await events.aclose()

        assert [type(event) for event in got] == [TextMessage, MessageRecalled, TextMessage]
        assert texts(got) == ["1", "2"]

    async def test_of_the_phone_and_of_contacts_are_left_out_when_asked(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "1")

        assert [type(event) for event in await take(client, 2, include_all=True)] == [PhoneActivity, TextMessage]
        world.befriend("xiaoming", "ahua", remark="花")
        world.say("ahua", "me", "2")
        assert texts(await take(client, 1)) == ["2"]
        assert client.contacts.find(remark="花").nickname == "阿华"

    async def test_of_a_deleted_friend_take_him_off_the_list(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.unfriend("me", "ahua")
        await take(client, 2, include_all=True)

        with pytest.raises(UnknownContact):
            client.contacts.resolve("阿华")

    async def test_c13_own_messages_come_back_where_the_platform_echoes(self, log_in: LogIn, world: World) -> None:
        world.switches = Switches(echo="on")
        client = await log_in()
        receipt = await client.send_text("阿华", "hi")
        [echo] = await take(client, 1)

        assert isinstance(echo, TextMessage)
        assert (echo.is_self, echo.message_id, echo.chat) == (True, receipt.message_id, receipt.chat)

    async def test_a5_a_change_that_brings_nothing_is_asked_for_once(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        """A client that polls with the fetch key would be told of it for ever."""
        world.switches = Switches(silent_changes=True)
        client = await log_in()
        await take(client, 1, include_all=True)
        await client.send_image("filehelper", PNG)
        counted.calls.clear()
        later(world, (100, lambda: world.say("ahua", "me", "hi")))

        assert texts(await take(client, 1)) == ["hi"]
        assert counted.calls.count("synccheck") >= 4
        assert counted.calls.count("webwxsync") == 2

    async def test_a5_a_server_that_never_delivers_what_it_announces_is_not_asked_at_full_speed(
        self, log_in: LogIn, sandbox: Sandbox
    ) -> None:
        carrier = Sticky(Loopback(sandbox))
        client = await log_in(transport=carrier)
        await take(client, 1, include_all=True)
        carrier.calls.clear()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(client.events())
        assert carrier.calls == ["synccheck", "webwxsync"] * 2

    async def test_a_new_skey_is_used_from_then_on(self, log_in: LogIn, world: World, sandbox: Sandbox) -> None:
        carrier = Edited(Loopback(sandbox), lambda reply: msgspec.structs.replace(reply, skey="@crypt_new"))
        store = LoginMemory()
        client = await log_in(transport=carrier, store=store)
        await take(client, 1, include_all=True)
        world.say("ahua", "me", "hi")
        await take(client, 1)

        assert carrier.skeys[0] != "@crypt_new"
        assert carrier.skeys[1] == store.load().login.credentials.skey == "@crypt_new"

    async def test_a_lost_fetch_is_asked_again_and_loses_nothing(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.say("ahua", "me", "hi")
        counted.lose_answers("webwxsync")

        assert texts(await take(client, 1)) == ["hi"]
        assert counted.calls.count("webwxsync") == 2

    async def test_a_batch_is_saved_with_its_position_before_its_first_event(self, log_in: LogIn, world: World) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        before = store.load()
        for number in range(3):
            world.say("ahua", "me", str(number))
        events = client.events(include_all=False)
        await anext(events)
        saved = store.load()
        await events.aclose()

        assert saved.login.fetch_key != before.login.fetch_key
        assert len(saved.pending) == 4  # with the phone's greeting
        assert len(store.load().pending) == 2

    async def test_that_were_not_taken_are_taken_by_the_next_process(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted, tmp_path: Path
    ) -> None:
        path = tmp_path / "me.json"
        client = await log_in(store=LoginFile(path))
        for number in range(5):
            world.say("ahua", "me", str(number))
        got = texts(await take(client, 1))
        await client.close()
        counted.calls.clear()
        for _ in range(4):
            async with new_client(store=LoginFile(path)) as following:
                await following.resume()
                got += texts(await take(following, 1))

        assert got == list("01234")
        assert counted.calls == []

    async def test_go_on_where_a_loop_was_left_by_break(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        got: list[Event] = []
        for number in range(3):
            world.say("ahua", "me", str(number))
        for _ in range(3):
            async for event in client.events(include_all=False):
                got.append(event)
                break

        assert texts(got) == ["0", "1", "2"]

    async def test_have_one_reader_at_a_time(self, log_in: LogIn, new_client: NewClient, counted: Counted) -> None:
        store = LoginMemory()
        first = await log_in(store=store)
        second = new_client(store=store)
        await second.resume()
        events = first.events()
        await anext(events)
        counted.calls.clear()

        with pytest.raises(AlreadyRunning):
            await anext(second.events())
        assert counted.calls == []
        await events.aclose()

    async def test_are_not_brought_back_by_a_process_that_only_sends(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path
    ) -> None:
        path = tmp_path / "me.json"
        listener = await log_in(store=LoginFile(path))
        for number in range(3):
            world.say("ahua", "me", str(number))
        await take(listener, 1)
        sender = new_client(store=LoginFile(path))
        await sender.resume()
        await sender.send_text("filehelper", "hi")
        await take(listener, 1)
        await sender.close()
        after = new_client(store=LoginFile(path))
        await after.resume()

        assert texts(await take(after, 1)) == ["2"]

    async def test_a_chat_first_heard_of_can_be_answered(self, log_in: LogIn, world: World) -> None:
        client = await log_in(host="filehelper")
        world.say("ahua", "me", "hi")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        await client.reply(message, "hello")

        assert client.contacts.resolve(message.chat).kind == "stranger"
        assert last(world, "ahua", "xiaoming").text == "hello"


class TestTheEndOfALogin:
    @pytest.mark.parametrize("ret", [-14, 1100, 1101, 1102])
    async def test_b5_any_call_that_says_so_stops_every_other(
        self, log_in: LogIn, world: World, counted: Counted, ret: int
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", ret)
        with pytest.raises(LoggedOut) as first:
            await client.send_text("filehelper", "hi")
        counted.calls.clear()

        for attempt in (client.send_text("filehelper", "hi"), client.mark_read("阿华"), client.list_contacts(),
                        client.check(), client.download("1"), anext(client.events())):  # fmt: skip
            with pytest.raises(LoggedOut) as again:
                await attempt
            assert (again.value.reason, str(again.value)) == (first.value.reason, str(first.value))
        assert counted.calls == []

    async def test_b3_is_told_by_the_long_poll(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        await take(client, 1, include_all=True)
        world.log_out("me")

        with pytest.raises(LoggedOut) as caught:
            await take(client, 1)
        assert caught.value.reason == "phone"

    async def test_a_login_elsewhere_evicts(self, log_in: LogIn) -> None:
        first = await log_in()
        await log_in()

        with pytest.raises(LoggedOut) as caught:
            await first.send_text("filehelper", "hi")
        assert caught.value.reason == "evicted"

    async def test_leaves_what_is_pending_to_be_read(
        self, log_in: LogIn, new_client: NewClient, world: World, counted: Counted
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        for number in range(3):
            world.say("ahua", "me", str(number))
        await take(client, 1)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.send_text("filehelper", "hi")
        counted.calls.clear()
        other = new_client(store=store)
        await other.resume()

        assert texts(await take(other, 2)) == ["1", "2"]
        with pytest.raises(LoggedOut):
            await take(other, 1)
        assert counted.calls == []

    async def test_is_followed_by_a_new_code(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()
        for each in (client, new_client(store=store)):
            await each.login(show_qr=phone_of("me"))

            assert (await each.send_text("filehelper", "hi")).message_id

    async def test_b4_a_saved_login_that_has_died_meanwhile_is_followed_by_a_new_code(
        self, log_in: LogIn, new_client: NewClient, world: World, phone_of: Phone
    ) -> None:
        store = LoginMemory()
        await log_in(store=store)
        world.log_out("me")
        shown: list[QrCode] = []
        confirm = phone_of("me")
        await new_client(store=store).login(show_qr=lambda code: (shown.append(code), confirm(code)))

        assert len(shown) == 1

    async def test_is_not_written_over_a_newer_login(self, log_in: LogIn) -> None:
        store, newer = LoginMemory(), LoginMemory()
        old = await log_in(store=store)
        await log_in(store=newer)
        store.save(newer.load())
        with pytest.raises(LoggedOut):
            await old.send_text("filehelper", "hi")
        await old.close()

        assert store.load() == newer.load()


class TestFileTransferHelper:
    async def test_has_one_chat_and_every_verb_for_it(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in(host="filehelper")
        assert client.account.host == "filehelper"
        receipt = await client.send_text("filehelper", "hi")
        await client.mark_read("filehelper")
        await client.recall(receipt)
        picture = await client.send_image("filehelper", PNG)

        assert counted.calls == [
            "webwxsendmsg", "webwxstatusnotify", "webwxrevokemsg", "webwxuploadmedia", "webwxsendmsgimg",
        ]  # fmt: skip
        assert await client.download(picture) == PNG

    async def test_has_no_contacts_and_says_so_before_any_request(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in(host="filehelper")

        with pytest.raises(NotOnThisHost, match="host 'web'"):
            await client.list_contacts()
        assert counted.calls == []


async def test_contacts_are_fetched_by_pages_and_kept_for_the_next_process(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    world.switches = Switches(contact_page_size=2)
    store = LoginMemory()
    client = await log_in(store=store)
    world.add_person("新人", "new")
    world.befriend("me", "new")
    listed = await client.list_contacts()
    other = new_client(store=store)
    await other.resume()

    assert {"小明", "阿华", "张三", "李雷", "新人", "周末爬山", "文件传输助手"} <= {each.nickname for each in listed}
    assert list(other.contacts) == listed


async def test_f8_no_handler_of_the_process_is_touched(log_in: LogIn) -> None:
    def handlers() -> list[object]:
        loop = asyncio.get_running_loop()
        signals = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        return [sys.excepthook, sys.unraisablehook, threading.excepthook, loop.get_exception_handler(), *signals]

    before = handlers()
    async with await log_in() as client:
        await client.send_text("filehelper", "hi")
        await take(client, 1, include_all=True)

    assert handlers() == before


async def test_without_a_transport_it_uses_the_network() -> None:
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()

    async with AsyncClient(server=f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ConnectFailed, match=f"no connection to 127.0.0.1:{port}"):
            await client.login()


@pytest.mark.parametrize(
    ("host", "server"),
    [("wx9.qq.com", None), ("evil.example", None), (None, "sandbox.test"), (None, "http://u:p@sandbox.test")],
)
def test_a_host_that_is_none_is_refused_at_once(host: str | None, server: str | None) -> None:
    with pytest.raises(NotOnThisHost):
        AsyncClient(host=host, server=server)
