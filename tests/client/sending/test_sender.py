"""
Sends with a journal: stored before the first attempt, never sent twice under one key, settled by sync after a lost
answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted, FaultyTransport
from tests.client.conftest import GIF, MP4, PNG, last, take

from webwx.errors import (
    ApiError,
    ConnectFailed,
    KeyReused,
    LoggedOut,
    NoJournal,
    NoSuchFile,
    NotForwardable,
    RateLimited,
    RecipientRejected,
    SendOutcomeUnknown,
    StorageError,
    Timeout,
    UnknownContact,
    WxError,
)
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import ImageMessage, SystemMessage, TextMessage
from webwx.protocol.http import Response
from webwx.sandbox.faults import FaultRule
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.protocol.http import Request
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal
    from webwx.storage.tables.outbox import Outgoing
    from webwx.transport.runner import Transport


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


class Failing(Counted):
    """Fails a number of times before a request is sent, or holds a request that has arrived."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.unreachable = 0
        self.arrived = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.loses = False
        """The answer to the held request is lost in the end."""
        self.client_ids: list[str] = []

    async def send(self, request: Request) -> Response:
        if request.endpoint == "webwxsendmsg":
            self.client_ids.append(request.content.decode().partition('"ClientMsgId":"')[2].partition('"')[0])
            if self.unreachable:
                self.unreachable -= 1
                raise ConnectFailed("webwxsendmsg: no connection; nothing was sent.")
            if self.held is not None:
                response = await self._inner.send(request)
                self.arrived.set()
                await self.held.wait()
                self.held = None
                if self.loses:
                    raise Timeout("webwxsendmsg: no answer in time.")
                return response
        return await super().send(request)


@pytest.fixture
def failing(sandbox: SandboxCore) -> Failing:
    return Failing(Loopback(sandbox))


def texts(world: World, who: str = "ahua", chat: str = "xiaoming") -> list[str]:
    """Return the texts of a chat on a phone."""
    messages = world.inbox(who)[chat].messages if chat in world.inbox(who) else []
    return [message.text for message in messages]


NOTICE = SystemMessage(message_id="1", chat=FILEHELPER, sender=None, is_self=False, time=0, content="", text="")


async def only_send(client: AsyncClient) -> Outgoing:
    [send] = await client.list_sends()
    return send


class TestARow:
    async def test_has_the_receipt_of_a_completed_send(self, log_in: LogIn) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "hi")
        send = await only_send(client)

        assert (send.state, send.kind, send.text, send.chat) == ("sent", "text", "hi", receipt.chat)
        assert send.receipt == receipt
        assert send.client_id == receipt.client_id

    async def test_has_the_state_sent_once_the_outcome_is_stored(self, log_in: LogIn, tmp_path: Path) -> None:
        client = await log_in()
        await client.send_text("阿华", "hi")
        await client.store_outcomes()

        with contextlib.closing(sqlite3.connect(tmp_path / "kept.journal")) as file:
            assert file.execute("SELECT state FROM outbox").fetchall() == [("sent",)]

    async def test_can_be_recalled_by_the_next_process(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        async with await log_in(store=store) as client:
            await client.send_text("阿华", "oops", key="1")
        following = new_client(store=store)
        await following.resume()
        send = await following.find_send(key="1")
        assert send is not None
        assert send.receipt is not None
        await following.recall(send.receipt)

        assert last(world, "ahua", "xiaoming").is_recalled

    async def test_is_stored_before_the_first_byte_is_sent(self, log_in: LogIn, failing: Failing) -> None:
        client = await log_in(transport=failing)
        failing.held = asyncio.Event()
        sending = asyncio.create_task(client.send_text("阿华", "hi"))
        await failing.arrived.wait()
        send = await only_send(client)

        assert (send.state, send.client_id) == ("sending", failing.client_ids[0])
        failing.held.set()
        await sending

    @pytest.mark.parametrize(
        ("ret", "kind", "state"),
        [
            (1204, RecipientRejected, "failed"),
            (1201, RecipientRejected, "failed"),
            (-1, ApiError, "failed"),
            (1101, LoggedOut, "queued"),
            (1205, RateLimited, "queued"),
        ],
    )
    async def test_has_the_refusal_of_the_platform(
        self, log_in: LogIn, world: World, ret: int, kind: type[ApiError], state: str
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsg", ret)
        with pytest.raises(kind):
            await client.send_text("阿华", "hi")
        send = await only_send(client)

        assert (send.state, send.ret) == (state, ret)

    async def test_of_a_send_that_was_not_transmitted_is_queued(self, log_in: LogIn, failing: Failing) -> None:
        client = await log_in(transport=failing)
        failing.unreachable = 1
        with pytest.raises(ConnectFailed):
            await client.send_text("阿华", "hi")

        assert (await only_send(client)).state == "queued"

    async def test_of_a_cancelled_send_is_unknown(self, log_in: LogIn, failing: Failing) -> None:
        client = await log_in(transport=failing)
        failing.held = asyncio.Event()
        sending = asyncio.create_task(client.send_text("阿华", "hi"))
        await failing.arrived.wait()
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending

        assert (await only_send(client)).state == "unknown"

    async def test_of_a_send_that_is_cancelled_while_it_is_stored_is_not_transmitted(
        self, log_in: LogIn, world: World
    ) -> None:
        client = await log_in()
        sending = asyncio.create_task(client.send_text("阿华", "hi"))
        await asyncio.sleep(0)  # From here on a thread stores it.
        sending.cancel()
        await asyncio.wait([sending])

        assert [send.state for send in await client.list_sends()] == ["queued"]
        assert texts(world) == []

    @pytest.mark.parametrize("cancellations", [1, 2])
    @pytest.mark.parametrize("key", ["", "1"])
    async def test_of_a_send_that_is_cancelled_repeatedly_never_stays_sending(
        self, log_in: LogIn, world: World, cancellations: int, key: str
    ) -> None:
        client = await log_in()
        if key:
            await client.queue_text("阿华", "hi", key=key)
        for turns in range(12):
            sending = asyncio.create_task(client.send_text("阿华", "hi", key=key))
            for _ in range(turns):
                await asyncio.sleep(0)
            for _ in range(cancellations):
                sending.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([sending])
        await client.close()
        await client.resume()

        assert "sending" not in {send.state for send in await client.list_sends()}
        assert len(texts(world)) <= (1 if key else 12)

    @pytest.mark.parametrize(
        ("answer", "state"),
        [
            ('{"BaseResponse":{"Ret":%s},"MsgID":"1"}' % 2**70, "failed"),
            ('{"BaseResponse":{"Ret":%s},"MsgID":"1"}' % -(2**70), "failed"),
            ('{"BaseResponse":{"Ret":%s},"MsgID":"1"}' % 2**40, "failed"),
            ('{"BaseResponse":{"Ret":0},"MsgID":%s}' % 2**70, "sent"),
            ('{"BaseResponse":{"Ret":0},"MsgID":1%s}' % ("0" * 5_000), "sent"),
            ('{"BaseResponse":{"Ret":1%s},"MsgID":"1"}' % ("0" * 5_000), "unknown"),
        ],
    )
    async def test_of_an_answer_with_a_huge_integer_never_stays_sending(
        self, log_in: LogIn, sandbox: SandboxCore, answer: str, state: str
    ) -> None:
        client = await log_in(
            transport=FaultyTransport(Loopback(sandbox), webwxsendmsg=[Response(body=answer.encode())])
        )
        with contextlib.suppress(WxError):
            await client.send_text("阿华", "hi")

        assert (await only_send(client)).state == state

    async def test_is_not_stored_for_invalid_input(self, log_in: LogIn, tmp_path: Path) -> None:
        client = await log_in()
        for attempt, kind in (
            (client.send_text("unknown", "hi"), UnknownContact),
            (client.send_file("阿华", tmp_path / "none"), NoSuchFile),
            (client.forward(NOTICE, "阿华"), NotForwardable),
        ):
            with pytest.raises(kind):
                await attempt

        assert await client.list_sends() == []

    async def test_is_stored_for_every_method(self, log_in: LogIn, world: World, tmp_path: Path) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [picture] = await take(client, 1)
        assert isinstance(picture, ImageMessage)
        (tmp_path / "a.txt").write_bytes(b"a")
        await client.send_text("阿华", "hi")
        await client.reply(picture, "nice")
        await client.send_image("阿华", PNG, name="b.png")
        await client.send_image("阿华", GIF, name="c.gif")
        await client.send_video("阿华", MP4, name="d.mp4")
        await client.send_sticker("阿华", GIF)
        await client.send_file("阿华", tmp_path / "a.txt")
        await client.forward(picture, "filehelper")

        assert [(send.kind, send.text, send.state) for send in reversed(await client.list_sends())] == [
            ("text", "hi", "sent"),
            ("text", "nice", "sent"),
            ("image", "b.png", "sent"),
            ("image", "c.gif", "sent"),
            ("video", "d.mp4", "sent"),
            ("sticker", "sticker.gif", "sent"),
            ("file", "a.txt", "sent"),
            ("image", "", "sent"),
        ]

    async def test_keeps_its_client_id_when_the_upload_has_expired(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.refuse_next("webwxsendmsgimg", -1)
        receipt = await client.send_image("阿华", PNG)
        send = await only_send(client)

        assert counted.calls.count("webwxsendmsgimg") == 2
        assert (send.state, send.client_id) == ("sent", receipt.client_id)

    async def test_is_one_for_a_forward_by_content_and_then_by_upload(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        [picture] = await take(client, 1)
        world.refuse_next("webwxsendmsgimg", -1)
        receipt = await client.forward(picture, "filehelper")

        assert receipt.way == "by_upload"
        assert (await only_send(client)).receipt == receipt

    async def test_of_a_failed_upload_is_queued(self, log_in: LogIn, counted: Counted) -> None:
        """No message has arrived, whatever the outcome of the upload is."""
        client = await log_in()
        counted.lose_answers("webwxuploadmedia", times=9)
        with pytest.raises(SendOutcomeUnknown):
            await client.send_image("阿华", PNG)

        assert (await only_send(client)).state == "queued"

    async def test_that_cannot_be_stored_prevents_the_send(
        self, log_in: LogIn, counted: Counted, journal: SqliteJournal
    ) -> None:
        client = await log_in()
        await journal.close()

        with pytest.raises(StorageError):
            await client.send_text("阿华", "hi")
        assert counted.calls == []


class TestAKey:
    async def test_sends_once(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "hi", key="1")

        assert await client.send_text("阿华", "hi", key="1") == receipt
        assert counted.calls == ["webwxsendmsg"]
        assert (await client.send_text("阿华", "hi", key="2")).message_id != receipt.message_id
        assert texts(world) == ["hi", "hi"]

    async def test_sends_once_in_two_processes(self, log_in: LogIn, new_client: NewClient, world: World) -> None:
        store = LoginMemory()
        async with await log_in(store=store) as client:
            receipt = await client.send_text("阿华", "hi", key="1")
        following = new_client(store=store)
        await following.resume()

        assert await following.send_text("阿华", "hi", key="1") == receipt
        assert texts(world) == ["hi"]

    async def test_sends_once_in_two_concurrent_calls(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        receipts = await asyncio.gather(*(client.send_text("阿华", "hi", key="1") for _ in range(8)))

        assert len(set(map(str, receipts))) == 1
        assert texts(world) == ["hi"]

    @pytest.mark.parametrize("kind", ["text", "forward"])
    async def test_waits_for_a_send_in_flight(self, log_in: LogIn, failing: Failing, world: World, kind: str) -> None:
        client = await log_in(transport=failing)
        world.say("ahua", "me", "hi")
        [message] = await take(client, 1)

        async def send() -> object:
            if kind == "text":
                return await client.send_text("阿华", "hi", key="1")
            return await client.forward(message, "阿华", key="1")

        failing.held = asyncio.Event()
        first = asyncio.create_task(send())
        await failing.arrived.wait()
        second = asyncio.create_task(send())
        await asyncio.wait([second], timeout=0.01)
        failing.held.set()

        assert await second == await first

    async def test_needs_no_file_once_it_is_sent(self, log_in: LogIn, tmp_path: Path, counted: Counted) -> None:
        client = await log_in()
        path = tmp_path / "report.txt"
        path.write_bytes(b"a")
        receipt = await client.send_file("阿华", path, key="1")
        path.unlink()
        counted.calls.clear()

        assert await client.send_file("阿华", path, key="1") == receipt
        assert counted.calls == []

    @pytest.mark.parametrize("ret", [1204, 1205, -1])
    async def test_of_a_refused_send_is_sent_again_with_the_same_id(
        self, log_in: LogIn, world: World, failing: Failing, ret: int
    ) -> None:
        client = await log_in(transport=failing)
        world.refuse_next("webwxsendmsg", ret)
        with pytest.raises(ApiError):
            await client.send_text("阿华", "hi", key="1")
        receipt = await client.send_text("阿华", "hi", key="1")

        assert failing.client_ids == [receipt.client_id] * 2
        assert (await only_send(client)).state == "sent"

    async def test_of_a_queued_send_is_sent_with_the_same_id(self, log_in: LogIn, failing: Failing) -> None:
        client = await log_in(transport=failing)
        failing.unreachable = 1
        with pytest.raises(ConnectFailed):
            await client.send_text("阿华", "hi", key="1")
        receipt = await client.send_text("阿华", "hi", key="1")

        assert failing.client_ids == [receipt.client_id] * 2

    async def test_of_an_unknown_outcome_sends_nothing(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg")
        for _ in range(3):
            with pytest.raises(SendOutcomeUnknown):
                await client.send_text("阿华", "hi", key="1")

        assert counted.calls == ["webwxsendmsg"]
        assert texts(world) == ["hi"]
        assert (await only_send(client)).state == "unknown"

    async def test_without_a_journal_is_refused(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in(journal=None)
        for attempt in (
            client.send_text("阿华", "hi", key="1"),
            client.send_image("阿华", PNG, key="1"),
            client.list_sends(),
            client.history(),
        ):
            with pytest.raises(NoJournal):
                await attempt
        assert counted.calls == []


class TestALostAnswer:
    async def test_leaves_one_message_and_an_unknown_outcome(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg", times=9)
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "once")

        assert counted.calls == ["webwxsendmsg"]
        assert texts(world) == ["once"]
        assert (await only_send(client)).state == "unknown"

    @pytest.mark.parametrize(
        ("fault", "arrives"),
        [
            ("foreign_json", False),
            ('foreign_json:body={"Ret":1101}', False),
            ("foreign_json:body=[]", False),
            ("no_ret", True),
            ("no_message_id", True),
        ],
    )
    async def test_may_be_malformed_and_is_never_reported_as_sent(
        self, log_in: LogIn, world: World, counted: Counted, fault: str, arrives: bool
    ) -> None:
        client = await log_in()
        rule = world.faults.add(
            FaultRule(**msgspec.structs.asdict(FaultRule.read(fault)) | {"endpoint": "webwxsendmsg"})
        )
        for _ in range(2):
            with pytest.raises(SendOutcomeUnknown):
                await client.send_text("阿华", "once", key="1")

        assert rule.hits == 1
        assert counted.calls == ["webwxsendmsg"]
        assert texts(world) == (["once"] if arrives else [])
        assert (await only_send(client)).state == "unknown"

    @pytest.mark.parametrize("text", ["a&b\n<c>", "「阿华：原文」\n- - - - -\n回复"], ids=["text", "quote"])
    async def test_is_settled_once_the_message_is_delivered_back(
        self, log_in: LogIn, world: World, counted: Counted, text: str
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", text, key="1")
        async with asyncio.timeout(60), client.events() as events:
            await anext(events)
            while (send := await only_send(client)).state == "unknown":  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)

        assert send.state == "sent"
        assert send.receipt is not None
        assert send.receipt.message_id == last(world, "ahua", "xiaoming").id
        assert await client.send_text("阿华", text, key="1") == send.receipt

    async def test_is_settled_although_the_same_text_was_sent_before(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text("阿华", "ok")
        await take(client, 1)
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "ok", key="1")
        [echo] = await take(client, 1)
        assert isinstance(echo, TextMessage)

        assert (await client.send_text("阿华", "ok", key="1")).message_id == echo.message_id

    async def test_of_a_cancelled_send_is_settled_by_its_key_if_the_message_was_delivered_before(
        self, log_in: LogIn, world: World, failing: Failing
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in(transport=failing)
        failing.held = asyncio.Event()
        sending = asyncio.create_task(client.send_text("阿华", "hi", key="1"))
        [echo] = await take(client, 1)
        assert isinstance(echo, TextMessage)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        failing.held = None

        assert (await client.send_text("阿华", "hi", key="1")).message_id == echo.message_id

    async def test_is_settled_at_once_if_the_message_was_delivered_before(
        self, log_in: LogIn, world: World, failing: Failing
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in(transport=failing)
        failing.held, failing.loses = asyncio.Event(), True
        sending = asyncio.create_task(client.send_text("阿华", "hi"))
        [echo] = await take(client, 1)
        assert isinstance(echo, TextMessage)
        failing.held.set()

        assert (await sending).message_id == echo.message_id

    async def test_is_settled_for_a_send_of_an_earlier_login(
        self, log_in: LogIn, world: World, failing: Failing
    ) -> None:
        world.options = Options(echo="on")
        world.refuse_next("webwxsendmsg", 1205)
        with pytest.raises(RateLimited):
            await (await log_in()).send_text("阿华", "hi", key="1")
        client = await log_in(transport=failing)
        failing.held, failing.loses = asyncio.Event(), True
        sending = asyncio.create_task(client.send_text("阿华", "hi", key="1"))
        *_, echo = await take(client, 2)  # The gap as well.
        assert isinstance(echo, TextMessage)
        failing.held.set()

        assert (await sending).message_id == echo.message_id

    async def test_is_not_settled_by_the_message_of_another_send(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text("阿华", "ok")
        world.options = Options(echo="off")
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "ok")
        await take(client, 1)

        assert [send.state for send in await client.list_sends()] == ["unknown", "sent"]

    @pytest.mark.parametrize(("chat", "text"), [("filehelper", "ok"), ("阿华", "OK")])
    async def test_is_not_settled_by_a_different_message(
        self, log_in: LogIn, world: World, counted: Counted, chat: str, text: str
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "ok")
        world.say("me", chat, text)  # On the phone.
        await take(client, 1)

        assert (await only_send(client)).state == "unknown"

    async def test_is_not_settled_by_an_earlier_message(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        world.say("me", "阿华", "ok")
        await take(client, 1)
        world.wind(10)
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "ok")

        assert (await only_send(client)).state == "unknown"

    async def test_is_repeated_with_the_same_id_where_the_server_detects_duplicates(
        self, log_in: LogIn, world: World, failing: Failing
    ) -> None:
        world.options = Options(fold_repeats=True)
        client = await log_in(transport=failing, dedupe_by_client_id=True)
        failing.lose_answers("webwxsendmsg", times=3)
        receipt = await client.send_text("阿华", "hi")

        assert failing.client_ids == [receipt.client_id] * 4
        assert texts(world) == ["hi"]
        assert receipt.message_id == last(world, "ahua", "xiaoming").id

    async def test_is_repeated_by_its_key_where_the_server_detects_duplicates(
        self, log_in: LogIn, new_client: NewClient, world: World, failing: Failing
    ) -> None:
        world.options = Options(fold_repeats=True)
        store = LoginMemory()
        client = await log_in(transport=failing, store=store)
        failing.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "hi", key="1")
        following = new_client(transport=failing, store=store, dedupe_by_client_id=True)
        await following.resume()
        receipt = await following.send_text("阿华", "hi", key="1")

        assert failing.client_ids == [receipt.client_id] * 2
        assert texts(world) == ["hi"]
        assert receipt.message_id == last(world, "ahua", "xiaoming").id

    async def test_stays_unknown_when_the_repetition_is_not_sent(
        self, log_in: LogIn, new_client: NewClient, counted: Counted
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "hi", key="1")
        following = new_client(store=store, dedupe_by_client_id=True)
        await following.resume()
        with pytest.raises(KeyReused):
            await following.send_text("阿华", "", key="1")

        assert (await only_send(following)).state == "unknown"

    async def test_is_repeated_three_times_at_most(self, log_in: LogIn, world: World, failing: Failing) -> None:
        world.options = Options(fold_repeats=True)
        client = await log_in(transport=failing, dedupe_by_client_id=True)
        failing.lose_answers("webwxsendmsg", times=9)
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "hi")

        assert len(failing.client_ids) == 4
        assert (await only_send(client)).state == "unknown"

    async def test_stays_unknown_when_a_repetition_is_refused(
        self, log_in: LogIn, world: World, failing: Failing
    ) -> None:
        """The first attempt may have been delivered."""
        client = await log_in(transport=failing, dedupe_by_client_id=True)
        failing.held, failing.loses = asyncio.Event(), True
        sending = asyncio.create_task(client.send_text("阿华", "hi"))
        await failing.arrived.wait()
        world.refuse_next("webwxsendmsg", 1204, times=3)
        failing.held.set()
        with pytest.raises(SendOutcomeUnknown):
            await sending

        assert (await only_send(client)).state == "unknown"
