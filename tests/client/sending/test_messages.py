"""Sends and recalls, and what is refused before anything is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import PNG, last, take

from webwx.client.client import AsyncClient
from webwx.errors import (
    ApiError,
    EmptyText,
    InvalidRequest,
    LoggedOut,
    NoJournal,
    NotForwardable,
    NotLoggedIn,
    RecallExpired,
    RecallRefused,
    SendOutcomeUnknown,
    TextTooLong,
    UnknownContact,
    WxError,
)
from webwx.model.contacts import FILEHELPER, Contact, ContactId
from webwx.model.messages import (
    MessageRecalled,
    Receipt,
    SystemMessage,
    TextMessage,
)
from webwx.protocol.codes import MAX_TEXT
from webwx.sandbox import contents
from webwx.storage.login import LoginFile, LoginMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal


class TestSending:
    async def test_a_receipt_has_the_fields_for_a_recall(self, log_in: LogIn, world: World) -> None:
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
    async def test_text_is_sent_unchanged(self, log_in: LogIn, world: World, counted: Counted, text: str) -> None:
        await (await log_in()).send_text("filehelper", text)

        assert last(world, "me", "filehelper").text == text
        assert counted.calls == ["webwxsendmsg"]

    async def test_a_send_with_a_lost_answer_has_an_unknown_outcome_and_is_not_repeated(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg", times=9)

        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "once")
        assert counted.calls == ["webwxsendmsg"]
        assert len(world.inbox("ahua")["xiaoming"].messages) == 1

    async def test_concurrent_sends_have_different_ids(self, log_in: LogIn) -> None:
        client = await log_in()
        receipts = await asyncio.gather(*(client.send_text("filehelper", str(number)) for number in range(64)))

        assert len({receipt.client_id for receipt in receipts}) == 64

    async def test_ids_continue_to_grow_in_the_next_process(self, log_in: LogIn, new_client: NewClient) -> None:
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


class TestNothingIsSentFor:
    @pytest.mark.parametrize(
        ("attempt", "kind"),
        [
            (lambda client: client.send_text("unknown", "hi"), UnknownContact),
            (lambda client: client.send_text("@stale", "hi"), UnknownContact),
            (lambda client: client.send_text(Contact(id=ContactId("@stale"), nickname="阿华"), "hi"), UnknownContact),
            (lambda client: client.send_text("", "hi"), UnknownContact),
            (lambda client: client.send_text("filehelper", ""), EmptyText),
            (lambda client: client.send_text("filehelper", "字" * (MAX_TEXT + 1)), TextTooLong),
            (lambda client: client.reply(msgspec.structs.replace(TEXT, chat="@stale"), "hi"), UnknownContact),
            (lambda client: client.reply(TEXT, ""), EmptyText),
            (lambda client: client.mark_read("unknown"), UnknownContact),
            (lambda client: client.send_image("unknown", PNG), UnknownContact),
            (lambda client: client.forward(TEXT, "unknown"), UnknownContact),
            (lambda client: client.forward(SYSTEM, "filehelper"), NotForwardable),
            (lambda client: client.forward(RECALLED, "filehelper"), NotForwardable),
        ],
    )  # fmt: skip
    async def test_invalid_input_is_refused_before_any_request(
        self, log_in: LogIn, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]], kind: type[WxError]
    ) -> None:
        client = await log_in()

        with pytest.raises(kind):
            await attempt(client)
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
    async def test_calls_before_the_login_are_refused(
        self, new_client: NewClient, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]]
    ) -> None:
        with pytest.raises(NotLoggedIn):
            await attempt(new_client())
        assert counted.calls == []


class TestRecall:
    async def test_after_119_seconds_succeeds(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        world.wind(119)
        await client.recall(receipt)

        assert last(world, "ahua", "xiaoming").is_recalled

    @pytest.mark.parametrize(("seconds", "calls"), [(121, ["webwxrevokemsg"]), (123, [])])
    async def test_after_two_minutes_is_refused(
        self, log_in: LogIn, world: World, counted: Counted, seconds: float, calls: list[str]
    ) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        counted.calls.clear()
        world.wind(seconds)

        with pytest.raises(RecallExpired, match="can no longer be recalled"):
            await client.recall(receipt)
        assert counted.calls == calls
        assert not last(world, "ahua", "xiaoming").is_recalled

    @pytest.mark.parametrize(("age", "kind"), [(119, RecallExpired), (10, RecallRefused)])
    async def test_a_refusal_is_explained_by_the_age_of_the_receipt(
        self, log_in: LogIn, world: World, age: float, kind: type[WxError]
    ) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        world.wind(500)

        with pytest.raises(kind):
            await client.recall(msgspec.structs.replace(receipt, time=world.now - age))
        assert not last(world, "ahua", "xiaoming").is_recalled

    async def test_of_another_persons_message_is_refused(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        theirs = world.say("ahua", "me", "mine")
        chat = client.contacts.resolve("阿华").id

        with pytest.raises(RecallRefused):
            await client.recall(Receipt(message_id=theirs.id, client_id="1", chat=chat, time=world.now))
        assert not last(world, "me", "ahua").is_recalled

    @pytest.mark.parametrize("message_id", ["1", "9007199254740992"])
    async def test_of_an_unknown_message_is_refused(self, log_in: LogIn, world: World, message_id: str) -> None:
        client = await log_in()

        with pytest.raises(RecallRefused):
            await client.recall(Receipt(message_id=message_id, client_id="1", chat=ContactId("@a"), time=world.now))

    async def test_with_a_rounded_id_is_refused(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        rounded = str(int(float(receipt.message_id)))
        assert rounded != receipt.message_id

        with pytest.raises(RecallRefused):
            await client.recall(msgspec.structs.replace(receipt, message_id=rounded))
        assert not last(world, "ahua", "xiaoming").is_recalled

    async def test_a_second_time_is_refused(self, log_in: LogIn) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "oops")
        await client.recall(receipt)

        with pytest.raises(RecallRefused):
            await client.recall(receipt)

    @pytest.mark.parametrize("to", ["阿华", "周末爬山", "filehelper"])
    async def test_succeeds_in_another_process_by_the_receipt_alone(
        self, log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path, to: str
    ) -> None:
        async with await log_in(store=LoginFile(tmp_path / "me.json")) as first:
            kept = (await first.send_text(to, "oops")).to_json()
        second = new_client(store=LoginFile(tmp_path / "me.json"))
        await second.resume()
        await second.recall(Receipt.from_json(kept))

        assert last(world, "me", world.chat_id(world.person("me"), to)).is_recalled

    async def test_a_message_of_the_phone_is_recalled_by_its_event(
        self, log_in: LogIn, world: World, journal: SqliteJournal
    ) -> None:
        client = await log_in(journal=journal)
        world.say("me", "阿华", "a slip of the phone")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        await client.recall(message)

        assert last(world, "ahua", "xiaoming").is_recalled

    async def test_a_message_of_this_client_is_recalled_by_its_event_and_marked_in_the_outbox(
        self, log_in: LogIn, world: World, journal: SqliteJournal
    ) -> None:
        world.options = msgspec.structs.replace(world.options, echo="on")
        client = await log_in(journal=journal)
        await client.send_text("阿华", "a slip")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        await client.recall(message)

        assert last(world, "ahua", "xiaoming").is_recalled
        assert [send.state for send in await client.list_sends()] == ["recalled"]

    async def test_a_message_of_the_phone_cannot_be_recalled_after_two_minutes(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.say("me", "阿华", "a slip of the phone")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        world.wind(123)
        with pytest.raises(RecallExpired):
            await client.recall(message)
        assert "webwxrevokemsg" not in counted.calls

    @pytest.mark.parametrize("message_id", ["", "0"])
    async def test_a_message_without_an_id_is_refused_without_a_request(
        self, log_in: LogIn, world: World, counted: Counted, message_id: str
    ) -> None:
        client = await log_in()
        world.say("me", "阿华", "a slip of the phone")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        with pytest.raises(InvalidRequest, match="no id"):
            await client.recall(msgspec.structs.replace(message, message_id=message_id))
        assert "webwxrevokemsg" not in counted.calls

    async def test_a_notice_is_refused_without_a_request(self, log_in: LogIn, world: World, counted: Counted) -> None:
        client = await log_in()
        world.send("me", "阿华", contents.system("位置共享已经结束"))
        [notice] = await take(client, 1)
        assert isinstance(notice, SystemMessage)
        with pytest.raises(InvalidRequest, match="Only a message of this account"):
            await client.recall(notice)
        assert "webwxrevokemsg" not in counted.calls

    async def test_a_message_of_another_person_is_refused_without_a_request(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        world.say("阿华", "me", "mine")
        [message] = await take(client, 1)
        assert isinstance(message, TextMessage)
        with pytest.raises(InvalidRequest, match="Only a message of this account"):
            await client.recall(message)
        assert "webwxrevokemsg" not in counted.calls


class TestTheOutbox:
    async def test_marks_the_recalled_sends(self, log_in: LogIn, journal: SqliteJournal) -> None:
        client = await log_in(journal=journal)
        receipt = await client.send_text("阿华", "a slip", key="1")
        await client.recall(receipt)
        [send] = await client.list_sends()

        assert (send.state, send.receipt) == ("recalled", receipt)
        assert await client.send_text("阿华", "a slip", key="1") == receipt  # A completed key stays completed.

    async def test_entries_can_be_recalled(self, log_in: LogIn, world: World, journal: SqliteJournal) -> None:
        client = await log_in(journal=journal)
        receipt = await client.send_text("阿华", "a slip")
        send = await client.find_send(message_id=receipt.message_id)
        assert send is not None
        await client.recall(send)

        assert last(world, "ahua", "xiaoming").is_recalled

    async def test_entries_can_be_recalled_by_a_client_that_cannot_read_the_outbox(
        self, log_in: LogIn, new_client: NewClient, world: World, journal: SqliteJournal
    ) -> None:
        store = LoginMemory()
        client = await log_in(journal=journal, store=store)
        await client.send_text("阿华", "a slip")
        [send] = await client.list_sends()
        without_journal = new_client(store=store)
        await without_journal.resume()
        await without_journal.recall(send)

        assert last(world, "ahua", "xiaoming").is_recalled

    async def test_a_second_recall_succeeds_without_a_request(
        self, log_in: LogIn, journal: SqliteJournal, world: World, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        receipt = await client.send_text("阿华", "a slip")
        await client.recall(receipt)
        [send] = await client.list_sends()
        world.wind(300)
        for again in (receipt, send):
            await client.recall(again)

        assert counted.calls.count("webwxrevokemsg") == 1

    async def test_recall_of_a_receipt_without_a_message_id_reads_the_outbox_first(
        self, log_in: LogIn, journal: SqliteJournal, world: World, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        sent = await client.send_text("阿华", "a slip")
        unknown = msgspec.structs.replace(sent, message_id="")
        assert (unknown.is_unknown, sent.is_unknown) == (True, False)
        await client.recall(unknown)
        assert last(world, "ahua", "xiaoming").is_recalled

        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "another slip")
        [send] = await client.list_sends("unknown")
        with pytest.raises(InvalidRequest, match="It is unknown whether this message was sent"):
            await client.recall(msgspec.structs.replace(unknown, client_id=send.client_id))
        assert counted.calls.count("webwxrevokemsg") == 1

    async def test_a_queued_send_cannot_be_recalled(
        self, log_in: LogIn, journal: SqliteJournal, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        outbox = journal.account(client.account.uin).outbox
        send = await outbox.add(client_id="1", chat=FILEHELPER, kind="text", text="a", key="", time=1.0)
        with pytest.raises(InvalidRequest, match="cannot be recalled"):
            await client.recall(send)

        assert counted.calls == []

    async def test_a_retry_of_a_queued_text_keeps_its_client_id(
        self, log_in: LogIn, journal: SqliteJournal, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        outbox = journal.account(client.account.uin).outbox
        chat = client.contacts.resolve("阿华").id
        row = await outbox.add(client_id="17000000000000001", chat=chat, kind="text", text="late", key="", time=1.0)
        receipt = await client.retry_send(row.number)

        assert (receipt.client_id, receipt.chat) == ("17000000000000001", chat)
        assert await client.retry_send(row.number) == receipt
        assert counted.calls == ["webwxsendmsg"]

    async def test_a_retry_of_another_kind_or_state_is_refused(
        self, log_in: LogIn, journal: SqliteJournal, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        outbox = journal.account(client.account.uin).outbox
        file = await outbox.add(client_id="1", chat=FILEHELPER, kind="file", text="a.pdf", key="", time=1.0)
        gone = await outbox.add(client_id="2", chat=ContactId("@gone"), kind="text", text="a", key="", time=1.0)
        doubt = await outbox.add(client_id="3", chat=FILEHELPER, kind="text", text="b", key="", time=1.0)
        await outbox.sending(doubt.number, 1.0, doubt.chat)
        await outbox.settle(doubt.number, "unknown", time=1.0)
        for number, error in (
            (file.number, InvalidRequest), (gone.number, UnknownContact), (doubt.number, SendOutcomeUnknown),
            (999, InvalidRequest),
        ):  # fmt: skip
            with pytest.raises(error):
                await client.retry_send(number)

        assert counted.calls == []


class TestQueuedTexts:
    async def test_a_queued_text_is_stored_and_sent_later(
        self, log_in: LogIn, journal: SqliteJournal, world: World, counted: Counted
    ) -> None:
        client = await log_in(journal=journal)
        row = await client.queue_text("阿华", "later", key="alert-1")
        assert (row.state, row.text, row.key) == ("queued", "later", "alert-1")
        assert await client.queue_text("阿华", "later", key="alert-1") == row
        assert counted.calls == []

        receipt = await client.retry_send(row.number)
        assert receipt.client_id == row.client_id
        assert last(world, "ahua", "xiaoming").text == "later"

    async def test_a_refused_text_is_queued_again_under_its_key(
        self, log_in: LogIn, journal: SqliteJournal, world: World
    ) -> None:
        client = await log_in(journal=journal)
        world.refuse_next("webwxsendmsg", 1)
        with pytest.raises(ApiError):
            await client.send_text("阿华", "now", key="alert-1")
        assert (await client.queue_text("阿华", "now", key="alert-1")).state == "failed"
        row = await client.queue_text("阿华", "now", key="alert-1", background=True)

        assert (row.state, row.background, row.ret) == ("queued", True, 0)
        assert await client.find_send(key="alert-1") == row

    async def test_a_queued_text_is_moved_to_the_background_under_its_key(
        self, log_in: LogIn, journal: SqliteJournal
    ) -> None:
        client = await log_in(journal=journal)
        row = await client.queue_text("阿华", "later", key="alert-1")
        moved = await client.queue_text("阿华", "later", key="alert-1", background=True)

        assert (moved.number, moved.background) == (row.number, True)
        assert await client.find_send(key="alert-1") == moved
        assert await client.queue_text("阿华", "later", key="alert-1") == moved

    async def test_a_text_can_be_queued_after_the_end_of_the_login(
        self, log_in: LogIn, journal: SqliteJournal, world: World
    ) -> None:
        client = await log_in(journal=journal)
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()

        assert (await client.queue_text("filehelper", "later")).state == "queued"

    async def test_an_invalid_text_is_not_queued(
        self, log_in: LogIn, new_client: NewClient, journal: SqliteJournal
    ) -> None:
        client = await log_in(journal=journal)
        for to, text, error in (("filehelper", "", EmptyText), ("stranger", "a", UnknownContact)):
            with pytest.raises(error):
                await client.queue_text(to, text)
        with pytest.raises(NotLoggedIn):
            await new_client(journal=journal).queue_text("filehelper", "a")
        with pytest.raises(NoJournal):
            await (await log_in(journal=None)).queue_text("filehelper", "a")

        assert await client.list_sends() == []
