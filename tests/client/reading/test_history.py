"""History: received events and sends, found by chat, word, id and number, without a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.client.conftest import PNG, last, said, take

from webwx.errors import LoggedOut, NoJournal, NotLoggedIn, SendOutcomeUnknown, UnknownContact
from webwx.model.delivery import MAX_ITEM
from webwx.model.events import ContinuityLost, QuarantinedMessage
from webwx.model.messages import Event, ImageMessage, MessageRecalled, Pat, SystemMessage, TextMessage
from webwx.protocol.codes import MessageType
from webwx.protocol.content import RecallNotice, write_recall_notice
from webwx.protocol.sysmsg import write_pat
from webwx.sandbox import contents
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.carriers import Counted
    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.model.login import QrCode
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal

    Phone = Callable[[str], Callable[[QrCode], object]]


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


async def converse(client: AsyncClient, world: World, count: int = 3) -> None:
    """Send texts of 阿华 and the account in turn, ten seconds apart."""
    for number in range(count):
        world.wind(10)
        world.say("ahua", "me", f"a{number}")
        await take(client, 1)
        world.wind(10)
        await client.send_text("阿华", f"b{number}")


class TestHostileMessages:
    HOSTILE = (
        "<sysmsg type='sysmsgtemplate'><sysmsgtemplate><content_template><template>{}</template><link_list>"
        "<link name='a'><memberlist><member><nickname>{}</nickname></member></memberlist></link></link_list>"
        "</content_template></sysmsgtemplate></sysmsg>"
    ).format("$a$" * 26_000, "x" * 80_000)

    async def test_do_not_grow_when_they_arrive_or_are_read_again(
        self, log_in: LogIn, world: World, new_client: NewClient
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        world.send("ahua", "me", contents.raw(MessageType.RECALL, 0, self.HOSTILE))
        world.send("ahua", "me", contents.raw(MessageType.TEXT, 0, "x" * MAX_ITEM))
        world.say("ahua", "me", "after")
        came = await take(client, 3)
        await client.close()
        again = new_client(store=store)
        read_back = await again.history()

        for messages in (came, read_back):
            assert [type(each) for each in messages] == [SystemMessage, QuarantinedMessage, TextMessage]
            assert len(getattr(messages[0], "text", "")) < 2 * len(self.HOSTILE)


class TestUnread:
    async def test_counts_what_arrived_after_the_chat_was_read(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        assert await client.count_unread("阿华") is None
        for text in ("one", "two"):
            world.say("ahua", "me", text)
        await take(client, 2)
        assert (await client.count_unread("阿华"), await client.count_unread("张三")) == (2, 0)
        await client.mark_read("阿华")
        world.say("ahua", "me", "three")
        await take(client, 1)
        assert await client.count_unread("阿华") == 1

    async def test_does_not_count_what_was_read_on_the_phone(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "one")
        world.read_chat(who="me", chat="ahua")
        world.say("zhangsan", "me", "two")
        await take(client, 2)
        assert (await client.count_unread("阿华"), await client.count_unread("张三")) == (0, 1)

    async def test_still_counts_after_a_recall_on_the_phone(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("me", "ahua", "a mistake")
        world.say("ahua", "me", "what did you say?")
        world.recall("me", "ahua")
        await take(client, 3)
        assert await client.count_unread("阿华") == 1

    async def test_covers_the_chat_in_earlier_logins(self, log_in: LogIn, world: World, usual_journal: Journal) -> None:
        first = await log_in(journal=usual_journal)
        world.say("ahua", "me", "before")
        await take(first, 1)
        await first.close()
        second = await log_in(journal=usual_journal)
        world.say("ahua", "me", "after")
        await take(second, 2)  # the gap between the logins as well
        assert await second.count_unread("阿华") == 2
        await second.send_text("阿华", "an answer")
        assert await second.count_unread("阿华") == 0

    async def test_a_chat_is_marked_on_the_platform_although_the_journal_fails(
        self, log_in: LogIn, world: World, usual_journal: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = await log_in(journal=usual_journal)
        world.say("ahua", "me", "one")
        await take(client, 1)
        await usual_journal.close()
        await client.mark_read("阿华")
        assert world.inbox("me")["ahua"].unread == 0
        assert "The journal does not know that a chat was marked as read" in caplog.text

    async def test_needs_a_journal(self, log_in: LogIn) -> None:
        client = await log_in(journal=None)
        await client.mark_read("阿华")
        with pytest.raises(NoJournal):
            await client.count_unread("阿华")


class TestHistory:
    async def test_a_pat_names_the_friend_whose_real_id_it_has(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        xml = write_pat(actor="wxid_ahua", target="wxid_me", chat="wxid_me").replace('"${wxid_me}"', "我")
        world.notify("me", "ahua", contents.system_xml(xml, "拍了拍"))
        [pat] = await take(client, 1)

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == ("阿华", None, '"阿华" 拍了拍 我')
        assert said(await client.history("阿华")) == [pat.text]

    async def test_a_pat_in_a_chatroom_names_people_whose_real_ids_the_phone_has_sent(
        self, log_in: LogIn, world: World
    ) -> None:
        world.options = msgspec.structs.replace(world.options, real_ids="sent")
        world.say("ahua", "me", "hi")  # now it is a recent chat
        client = await log_in()
        xml = write_pat(actor="wxid_ahua", target="wxid_unknown", chat="hiking@chatroom")
        world.notify("me", "hiking", contents.system_xml(xml, "拍了拍"))
        [pat] = await take(client, 1)

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == ("阿华", "群成员", '"阿华" 拍了拍 "群成员"')

    async def test_has_received_and_sent_messages_in_the_order_of_time(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        await converse(client, world)
        counted.calls.clear()
        messages = await client.history("阿华")

        assert said(messages) == ["a0", "b0", "a1", "b1", "a2", "b2"]
        assert isinstance(messages[0], TextMessage)
        assert messages[0].number > 0
        assert isinstance(messages[1], Outgoing)
        assert counted.calls == []

    async def test_has_no_phone_activity_and_no_changes_of_contacts(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.befriend("xiaoming", "ahua", remark="花")
        world.say("ahua", "me", "hi")
        await take(client, 1)

        assert said(await client.history()) == ["hi"]

    async def test_of_a_chat_has_no_other_chat(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "1")
        world.say("lilei", "me", "2")
        await take(client, 2)
        await client.send_text("filehelper", "3")

        assert said(await client.history("Boss")) == ["2"]
        assert said(await client.history("filehelper")) == ["3"]
        with pytest.raises(UnknownContact):
            await client.history("unknown")

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
    async def test_has_pages_with_each_message_once(self, log_in: LogIn, world: World, limit: int) -> None:
        client = await log_in()
        for number in range(10):
            world.wind(1)
            world.say("ahua", "me", str(number))
        await take(client, 10)
        pages, before = [], None
        while page := [each for each in await client.history(limit=limit, before=before) if isinstance(each, Event)]:
            assert len(page) <= limit
            pages.append(said(list(page)))
            before = page[0].number

        assert [text for page in reversed(pages) for text in page] == list("0123456789")

    async def test_on_later_pages_has_the_sends_of_that_time(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        await converse(client, world, 4)
        newest = await client.history(limit=4)
        before = next(each.number for each in newest if isinstance(each, Event))
        older = await client.history(limit=4, before=before)

        assert said(older) + said(newest) == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]

    async def test_can_be_limited_in_time(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        times = []
        for number in range(4):
            world.say("ahua", "me", str(number))
            await take(client, 1)
            times.append(last(world, "me", "ahua").time)
            world.wind(100)

        assert said(await client.history(since=times[1], until=times[2])) == ["1", "2"]

    async def test_has_a_send_once_although_it_was_delivered_back(self, log_in: LogIn, world: World) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text("阿华", "hi")
        await take(client, 1)
        [event] = await client.history()

        assert isinstance(event, TextMessage)
        assert event.is_self

    async def test_has_sends_with_an_unknown_outcome_and_no_refused_ones(
        self, log_in: LogIn, world: World, counted: Counted
    ) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "perhaps")
        world.refuse_next("webwxsendmsg", 1204)
        with pytest.raises(Exception, match="1204"):
            await client.send_text("阿华", "never")

        assert said(await client.history()) == ["perhaps"]

    async def test_includes_earlier_logins(
        self, log_in: LogIn, world: World, counted: Counted, phone_of: Phone
    ) -> None:
        client = await log_in()
        await converse(client, world, 1)
        earlier = client.contacts.resolve("阿华").id
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await client.check()
        world.wind(100)
        await client.login(show_qr=phone_of("me"))
        await converse(client, world, 1)

        assert client.contacts.resolve("阿华").id != earlier
        assert said(await client.history("阿华")) == ["a0", "b0", "a0", "b0"]
        assert any(isinstance(each, ContinuityLost) for each in await client.history())

    async def test_can_be_read_after_the_end_of_the_login(
        self, log_in: LogIn, new_client: NewClient, world: World
    ) -> None:
        store = LoginMemory()
        client = await log_in(store=store)
        await converse(client, world, 1)
        await client.logout()

        assert said(await new_client(store=store).history("阿华")) == ["a0", "b0"]
        assert said(await client.search("a0")) == ["a0"]

    async def test_without_any_login_is_refused(self, new_client: NewClient) -> None:
        with pytest.raises(NotLoggedIn):
            await new_client().history()

    async def test_needs_a_journal(self, log_in: LogIn) -> None:
        client = await log_in(journal=None)
        for attempt in (client.history(), client.search("a"), client.find_message("1"), client.find_send(key="1")):
            with pytest.raises(NoJournal):
                await attempt


class TestSearch:
    async def test_finds_words_in_received_and_sent_messages(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "明天的备份 finished")
        await take(client, 1)
        world.wind(10)
        await client.send_text("阿华", "备份 started")
        for words, count in (("备份", 2), ("份", 2), ("备份 fin", 1), ("start", 1), ("nothing", 0), ("", 0)):
            assert len(await client.search(words)) == count, words

        assert said(await client.search("备份"))[0] == "备份 started"
        assert await client.search("备份", chat="filehelper") == []
        assert len(await client.search("备份", chat="阿华", limit=1)) == 1


class TestFinding:
    async def test_a_message_by_its_id_or_number_and_forwarding_it(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        sent = world.picture("ahua", "me", PNG)
        [picture] = await take(client, 1)
        found = await client.find_message(sent.id)

        assert isinstance(found, ImageMessage)
        assert found == picture == await client.find_message(picture.number)
        assert (await client.forward(found, "filehelper")).way == "by_content"
        assert await client.find_message("1") is None
        assert await client.find_message(10_000) is None

    async def test_a_recall_with_its_original(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.picture("ahua", "me", PNG)
        world.recall("ahua", "me")
        picture, recalled = await take(client, 2)
        found = await client.find_message(recalled.number)

        assert isinstance(found, MessageRecalled)
        assert found.original == picture
        assert (await client.forward(found, "filehelper")).way == "by_content"

    async def test_a_recall_of_what_is_no_message_has_no_original(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        world.say("ahua", "me", "1")
        world.recall("ahua", "me")
        _, recalled = await take(client, 2)
        assert isinstance(recalled, MessageRecalled)
        its_id = recalled.raw["MsgId"]
        notice = RecallNotice(message_id=its_id)
        world.send("ahua", "me", contents.raw(MessageType.RECALL, 0, write_recall_notice(notice)))
        [again] = await take(client, 1)
        found = await client.find_message(again.number)

        assert isinstance(found, MessageRecalled)
        assert (found.message_id, found.original) == (its_id, None)

    async def test_a_send_by_each_of_its_names(self, log_in: LogIn) -> None:
        client = await log_in()
        receipt = await client.send_text("阿华", "hi", key="1")
        found = await client.find_send(key="1")

        assert found is not None
        assert found.receipt == receipt
        assert found == await client.find_send(number=found.number)
        assert found == await client.find_send(client_id=receipt.client_id)
        assert await client.find_send(key="2") is None

    async def test_sends_by_state_and_chat(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in()
        await client.send_text("阿华", "1")
        await client.send_text("filehelper", "2")
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "3")

        assert said(list(await client.list_sends())) == ["3", "2", "1"]
        assert said(list(await client.list_sends("unknown"))) == ["3"]
        assert said(list(await client.list_sends("sent", "unknown", chat="阿华"))) == ["3", "1"]
        assert said(list(await client.list_sends(limit=1))) == ["3"]


async def test_a_reader_with_its_own_position_reads_events_in_the_order_of_arrival(
    log_in: LogIn, world: World, counted: Counted
) -> None:
    client = await log_in()
    for text in ("1", "2", "3"):
        world.say("ahua", "me", text)
    await take(client, 3)
    calls = len(counted.calls)

    *_, first, _, _ = events = await client.read_events()
    assert said(list(events))[-3:] == ["1", "2", "3"]
    assert said(list(await client.read_events(first.number, limit=1))) == ["2"]
    assert await client.read_events(events[-1].number) == []
    assert len(counted.calls) == calls


async def test_an_event_of_the_past_equals_the_delivered_one(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.say("ahua", "hiking", "hi")
    [event] = await take(client, 1)

    assert await client.history() == [msgspec.structs.replace(event, redelivered=False)]


class TestEchoes:
    async def test_own_sends_are_distinguished_from_those_of_the_phone(self, log_in: LogIn, world: World) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text("filehelper", "from here")
        world.say("me", "filehelper", "from the phone")
        world.say("ahua", "me", "from a friend")
        echo, own, other = (event for event in await take(client, 3) if isinstance(event, TextMessage))

        assert [await client.was_sent_here(event) for event in (echo, own, other)] == [True, False, False]

    async def test_a_recall_waits_for_a_send_in_flight(
        self, log_in: LogIn, world: World, journal: SqliteJournal
    ) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        receipt = await client.send_text("filehelper", "from here")
        [echo] = await take(client, 1)
        assert isinstance(echo, TextMessage)
        send = await client.find_send(client_id=receipt.client_id)
        assert send is not None
        outbox = journal.account(client.account.uin).outbox
        # The moment after the server has stored the message and before its answer arrives.
        await outbox.settle(send.number, "queued", time=1.0)
        assert await outbox.sending(send.number, 2.0, send.chat)
        asking = asyncio.create_task(client.was_sent_here(echo))
        done, _ = await asyncio.wait([asking], timeout=0.01)
        assert done == set()
        await outbox.settle(send.number, "sent", time=3.0, receipt=receipt)

        assert await asking


class TestPeople:
    async def test_of_an_earlier_login_are_found_by_their_old_ids(
        self, log_in: LogIn, world: World, new_client: NewClient, phone_of: Phone
    ) -> None:
        client = await log_in()
        earlier = client.contacts.resolve("阿华").id
        await client.logout()
        assert (await client.find_people([earlier, "@unknown"])).get(earlier) is not None
        again = new_client()
        await again.login(show_qr=phone_of("me"))
        now = again.contacts.resolve("阿华")
        people = await again.find_people([earlier, now.id])

        assert now.id != earlier
        assert [people.get(each) and people.get(each).nickname for each in (earlier, now.id)] == ["阿华"] * 2  # type: ignore[union-attr]  # asked for just before
        assert people.get("@unknown") is None
        await again.close()


class TestLettingGo:
    async def test_an_export_is_oldest_first_with_each_item_once(self, log_in: LogIn, world: World) -> None:
        world.options = Options(echo="on")
        client = await log_in()
        await client.send_text("阿华", "comes back")
        world.say("ahua", "me", "hello")
        await take(client, 2)
        await client.send_text("阿华", "does not, yet")
        texts = [getattr(each, "text", None) async for each in client.export_history()]

        assert [text for text in texts if text] == ["comes back", "hello", "does not, yet"]

    async def test_a_chat_is_deleted_with_its_sends(self, log_in: LogIn, world: World) -> None:
        client = await log_in()
        await converse(client, world, 1)
        await client.send_text("filehelper", "stays")

        assert await client.purge_history() == 0
        assert await client.purge_history("阿华", before=1.0) == 0
        assert await client.purge_history("阿华") == 2
        assert said(await client.history()) == ["stays"]

    async def test_a_send_is_deleted_with_its_key(self, log_in: LogIn, counted: Counted) -> None:
        client = await log_in()
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("阿华", "perhaps", key="1")
        [send] = await client.list_sends()

        assert await client.forget_send(send.number)
        assert not await client.forget_send(send.number)
        assert await client.list_sends() == []
        await client.send_text("阿华", "perhaps", key="1")
