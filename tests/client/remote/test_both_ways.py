"""One scenario for both: what a program does with an account is the same through a gateway."""

from __future__ import annotations

import asyncio
import base64
import io
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.client.conftest import MP4, PNG

from webwx.bot.delivery import deliver
from webwx.client.sending.sender import StepKey
from webwx.errors import (
    AlreadyRunning,
    EmptyText,
    InvalidRequest,
    KeyReused,
    NoSuchFile,
    NotAPicture,
    RecallRefused,
    RecipientRejected,
    UnknownContact,
)
from webwx.model.messages import FriendRequest, ImageMessage, MessageRecalled, Receipt, TextMessage
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox

    from webwx.bot.context import Context
    from webwx.client.client import AsyncClient
    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.stream import EventStream
    from webwx.client.reading.subscription import Subscription
    from webwx.model.messages import Event


async def next_event(stream: EventStream, kind: type[Event], text: str | None = None) -> Event:
    """Return the next event of a class, and of a text."""
    async with asyncio.timeout(20):
        async for event in stream:
            if isinstance(event, kind) and text in {None, getattr(event, "text", None)}:
                return event
    raise AssertionError("The stream has ended.")


async def begin_reader(client: AsyncClient, sandbox: Sandbox) -> None:
    """Make a consumer known, because it begins with events that arrive from then on."""
    async with client.events("reader") as stream:
        hearing = asyncio.ensure_future(next_event(stream, TextMessage, "is it known?"))
        while not hearing.done():
            sandbox.say("ahua", "me", "is it known?")
            await asyncio.wait([hearing], timeout=0.1)
        await hearing
        await stream.ack()


def texts(sandbox: Sandbox, who: str, chat: str) -> list[str]:
    return [message["text"] for message in sandbox.chat(who, chat)["messages"]]


async def test_texts_are_sent_once_per_key_and_recalled(client: AsyncClient, sandbox: Sandbox) -> None:
    receipt = await client.send_text("阿华", "hello")
    assert isinstance(receipt, Receipt)
    assert (bool(receipt.message_id), len(receipt.client_id)) == (True, 17)
    again = [await client.send_text("阿华", "once", key="报告/1 b") for _ in range(2)]
    assert again[0].message_id == again[1].message_id
    assert texts(sandbox, "ahua", "xiaoming")[-2:] == ["hello", "once"]
    await client.recall(receipt)
    assert sandbox.chat("ahua", "xiaoming")["messages"][-2]["recalled"]
    await client.recall(receipt)  # The outbox calls it recalled already.
    with pytest.raises((RecallRefused, InvalidRequest)):
        await client.recall(Receipt(message_id="1", client_id="", chat=receipt.chat, time=receipt.time))


async def test_only_an_own_message_is_recalled_by_its_event(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        sandbox.say("ahua", "me", "theirs")
        theirs = await next_event(stream, TextMessage, "theirs")
        sandbox.say("me", "ahua", "of the phone")
        own = await next_event(stream, TextMessage, "of the phone")
        assert isinstance(theirs, TextMessage)
        assert isinstance(own, TextMessage)
        with pytest.raises(InvalidRequest, match="Only a message of this account"):
            await client.recall(theirs)
        await client.recall(own)
        assert [each["recalled"] for each in sandbox.chat("ahua", "xiaoming")["messages"][-2:]] == [False, True]
        notice = await next_event(stream, MessageRecalled)
        for wrong in ("1", notice):
            with pytest.raises(InvalidRequest, match="Only the receipt of a send"):
                await client.recall(wrong)  # type: ignore[arg-type]  # as a program without type checks does


async def test_a_step_of_a_handler_is_one_send_whatever_its_later_calls_send(
    client: AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.say("ahua", "me", "what time is it?")
    before, key = texts(sandbox, "ahua", "xiaoming"), StepKey("bot/1/1")
    first = await client.send_text("阿华", "it is 12:00", key=key)
    assert await client.send_text("阿华", "it is 12:01", key=key) == first
    assert await client.send_file("filehelper", b"12:02", name="time.txt", key=key) == first
    with pytest.raises(KeyReused):
        await client.send_text("阿华", "it is 12:03", key="bot/1/1")
    assert texts(sandbox, "ahua", "xiaoming") == [*before, "it is 12:00"]


async def test_a_step_that_was_refused_is_made_by_its_next_call(client: AsyncClient, sandbox: Sandbox) -> None:
    sandbox.say("ahua", "me", "what time is it?")
    before, key = texts(sandbox, "ahua", "xiaoming"), StepKey("bot/2/1")
    sandbox.control("refuse", endpoint="webwxsendmsg", ret=1201, times=1)
    with pytest.raises(RecipientRejected):
        await client.send_text("阿华", "it is 12:00", key=key)
    receipt = await client.send_text("阿华", "it is 12:01", key=key)
    assert (bool(receipt.message_id), receipt.is_unknown) == (True, False)
    assert len(texts(sandbox, "ahua", "xiaoming")) == len(before) + 1


async def test_mistakes_raise_the_same_errors(client: AsyncClient, tmp_path: Path) -> None:
    with pytest.raises(UnknownContact, match="unknown"):
        await client.send_text("unknown", "hello")
    with pytest.raises(EmptyText):
        await client.send_text("阿华", "")
    with pytest.raises(NoSuchFile):
        await client.send_file("阿华", tmp_path / "absent.txt")
    with pytest.raises(NotAPicture):
        await client.send_image("阿华", b"no picture")
    with pytest.raises(UnknownContact):
        await client.find_contact("unknown")


async def test_events_are_read_by_a_consumer_that_continues_where_it_was(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        sandbox.say("ahua", "me", "first")
        first = await next_event(stream, TextMessage, "first")
        await stream.ack()
        sandbox.say("ahua", "me", "second")
        second = await next_event(stream, TextMessage, "second")
    assert isinstance(first, TextMessage)
    assert isinstance(second, TextMessage)
    assert (first.is_self, second.number > first.number, first.redelivered) == (False, True, False)

    # The second one was not acknowledged, so it comes again, marked; the first one does not.
    async with client.events("reader") as stream:
        event = await next_event(stream, TextMessage)
        assert isinstance(event, TextMessage)
        assert (event.text, event.redelivered) == ("second", True)

    read = await client.read_events(first.number - 1, limit=2)
    assert [event.number for event in read] == [first.number, first.number + 1]
    assert first in await client.read_events(since=first.time, until=second.time)
    assert await client.read_events(since=second.time + 3600) == []
    assert await client.find_message(first.message_id) == first
    assert await client.find_message("0") is None


async def take_texts(subscription: Subscription, *wanted: str) -> list[Delivered]:
    """Take events until these texts have arrived; acknowledge all others."""
    found: list[Delivered] = []
    async with asyncio.timeout(20):
        while len(found) < len(wanted):
            for each in await subscription.take():
                if isinstance(each.event, TextMessage) and each.event.text in wanted:
                    found.append(each)
                else:
                    subscription.ack(each.entry.number)
    return found


async def test_a_subscription_is_acknowledged_by_number_in_any_order(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.subscribe("reader") as subscription:
        for text in ("one", "two", "three"):
            sandbox.say("ahua", "me", text)
        one, two, three = await take_texts(subscription, "one", "two", "three")
        assert [each.event.text for each in (one, two, three)] == ["one", "two", "three"]  # type: ignore[attr-defined]
        assert (one.entry.attempt, one.event.redelivered) == (1, False)
        assert one.entry.number == one.event.number < two.entry.number < three.entry.number
        assert (one.entry.message_id, one.entry.chat) == (one.event.message_id, one.event.chat)  # type: ignore[attr-defined]
        with pytest.raises(AlreadyRunning):
            await client.subscribe("reader").open()
        subscription.ack(three.entry.number)
        assert await subscription.failed(one.entry.number, "ValueError") == 1
        assert await subscription.failed(one.entry.number, "ValueError") == 2
        await subscription.give_up(two.entry.number, "ValueError")
        await subscription.flush()

    [letter] = await client.list_dead_letters(consumer="reader")
    assert (letter.event.number, letter.error) == (two.entry.number, "ValueError")
    async with client.subscribe("reader") as subscription:
        [again] = await take_texts(subscription, "one")
        assert (again.entry.number, again.event.redelivered, again.entry.attempt) == (one.entry.number, True, 4)
        subscription.ack(again.entry.number)
        assert await client.revive(two.entry.number, consumer="reader")
        [revived] = await take_texts(subscription, "two")
        subscription.ack(revived.entry.number)
    assert await client.list_dead_letters(consumer="reader") == []


async def test_events_that_no_handler_has_seen_are_not_marked_when_they_come_again(
    client: AsyncClient, sandbox: Sandbox
) -> None:
    await begin_reader(client, sandbox)
    async with client.subscribe("reader") as subscription:
        for text in ("seen", "unseen"):
            sandbox.say("ahua", "me", text)
        seen, unseen = await take_texts(subscription, "seen", "unseen")
        subscription.ack(seen.entry.number)
        await subscription.close(unseen_from=unseen.entry.number)
    async with client.subscribe("reader") as subscription:
        [again] = await take_texts(subscription, "unseen")
        assert (again.entry.number, again.event.redelivered) == (unseen.entry.number, False)


async def test_an_event_whose_handler_fails_becomes_a_dead_letter_and_the_next_one_is_handled(
    client: AsyncClient, sandbox: Sandbox
) -> None:
    await begin_reader(client, sandbox)
    has_handled = asyncio.Event()

    async def handle(_: Context, event: Event) -> None:
        if getattr(event, "text", "") == "one":
            raise ValueError
        if getattr(event, "text", "") == "two":
            has_handled.set()

    delivering = asyncio.ensure_future(deliver(client, handle, consumer="reader", attempts=1))
    delivering.add_done_callback(lambda _: has_handled.set())
    for text in ("one", "two"):
        sandbox.say("ahua", "me", text)
    async with asyncio.timeout(20):
        await has_handled.wait()
    assert not delivering.done()
    [dead] = await client.list_dead_letters(consumer="reader")
    assert (getattr(dead.event, "text", ""), dead.attempts) == ("one", 1)
    delivering.cancel()
    await asyncio.wait([delivering])


async def test_one_that_does_not_follow_ends_after_what_waits(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    sandbox.say("ahua", "me", "it waits")
    async with asyncio.timeout(20):
        found = [getattr(event, "text", "") async for event in client.events("reader", follow=False)]
        assert "it waits" in found
        again = [getattr(event, "text", "") async for event in client.events("reader", follow=False)]
        assert "it waits" not in again
        async with client.subscribe("reader", follow=False) as subscription:
            while taken := await subscription.take():
                for each in taken:
                    subscription.ack(each.entry.number)
        await client.wait_for_kept()


async def test_a_picture_is_received_forwarded_and_seen_after_its_recall(
    client: AsyncClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        sandbox.control("picture", to="me", name="dot.png", content=base64.b64encode(PNG).decode(), **{"from": "ahua"})
        picture = await next_event(stream, ImageMessage)
        assert isinstance(picture, ImageMessage)
        content = await client.download(picture)
        assert await client.download(picture.message_id) == content
        saved = await client.download_to(picture, tmp_path)
        assert saved.read_bytes() == content
        await client.forward(picture, "filehelper")
        sandbox.control("recall", to="me", **{"from": "ahua"})
        await next_event(stream, MessageRecalled)
        [recalled] = await client.list_recalled(limit=1)
        assert recalled.notice.message_id == picture.message_id
    assert sandbox.chat("me", "filehelper")["messages"][-1]["kind"] == "image"


async def test_files_are_sent_from_paths_bytes_and_streams(
    client: AsyncClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "报告.txt"
    path.write_bytes(b"a report" * 100_000)
    moved: list[tuple[int, int]] = []
    await client.send_file("filehelper", path, progress=lambda done, size: moved.append((done, size)))
    await client.send_file("filehelper", io.BytesIO(b"streamed"), name="stream.txt")
    await client.send_image("filehelper", PNG, name="dot.png")
    assert moved[-1] == (800_000, 800_000)
    kinds = [(message["kind"], message["text"]) for message in sandbox.chat("me", "filehelper")["messages"]]
    assert kinds[-3:] == [("file", "报告.txt"), ("file", "stream.txt"), ("image", "")]


async def test_history_and_search_find_messages_and_sends(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        sandbox.say("ahua", "me", "the invoice is ready")
        await next_event(stream, TextMessage, "the invoice is ready")
    await client.send_text("阿华", "invoice paid")
    found = await client.search("invoice")
    assert {getattr(each, "text", "") for each in found} >= {"the invoice is ready", "invoice paid"}
    *_, last = await client.history("阿华", limit=5)
    assert last.text == "invoice paid"  # type: ignore[union-attr]
    assert isinstance(last, Outgoing | TextMessage)
    [message] = [each for each in found if isinstance(each, TextMessage) and not each.is_self]
    assert await client.find_message(message.number) == message
    whole: list[object] = []
    before: str | None = ""
    while before is not None:
        page = await client.history_page("阿华", limit=1, before=before)
        whole += [each.entry for each in page.entries]
        before = page.before
    assert whole == (await client.history("阿华", limit=100))[::-1]
    assert [each.entry for each in (await client.history_page(words="invoice", limit=100)).entries] == found
    assert message not in await client.history("阿华", before=message.number)
    assert await client.find_message(10**9) is None
    [newest, *_] = await client.list_sends(limit=1)
    assert (newest.text, newest.state, newest.kind) == ("invoice paid", "sent", "text")
    assert await client.find_send(client_id=newest.client_id) == newest
    assert await client.find_send(client_id="0") is None


async def test_sends_are_found_retried_and_forgotten(client: AsyncClient, sandbox: Sandbox) -> None:
    receipt = await client.send_text("阿华", "daily report", key="日报 1")
    sent = await client.find_send(key="日报 1")
    assert sent is not None
    assert (sent.client_id, sent.text) == (receipt.client_id, "daily report")
    for conditions in ({"number": sent.number}, {"message_id": receipt.message_id}, {"client_id": receipt.client_id}):
        found = await client.find_send(**conditions)
        assert found is not None
        assert found.number == sent.number
    assert await client.find_send(key="日报 1", number=sent.number + 1) is None
    before = texts(sandbox, "ahua", "xiaoming")
    assert (await client.retry_send(sent.number)).message_id == receipt.message_id
    assert texts(sandbox, "ahua", "xiaoming") == before

    await client.send_text("filehelper", "done")
    assert [each.text for each in await client.list_sends(chat="阿华")] == ["daily report"]
    assert [each.text for each in await client.list_sends("sent", "failed")] == ["done", "daily report"]
    newest, *_ = await client.list_sends()
    assert [each.text for each in await client.list_sends(before=newest.number)] == ["daily report"]

    assert await client.forget_send(sent.number)
    assert await client.find_send(number=sent.number) is None
    assert not await client.forget_send(sent.number)
    with pytest.raises(InvalidRequest):
        await client.retry_send(sent.number)


async def test_people_of_any_login_are_known_by_their_numbers(client: AsyncClient) -> None:
    ahua = await client.who("阿华")
    assert (ahua.name, ahua.kind) == ("阿华", "person")
    found_by = [await client.who(ahua), await client.who(ahua.number), *await client.list_identities("阿华")]
    found_by += [each for each in await client.list_identities() if each.number == ahua.number]
    # The contact list of the login may be matched meanwhile, so that it was seen again.
    assert [msgspec.structs.replace(each, last_seen=ahua.last_seen) for each in found_by] == [ahua] * 4
    [link] = await client.why(ahua)
    assert (link.number, link.contact_id, link.name) == (ahua.number, ahua.contact_id, "阿华")
    with pytest.raises(UnknownContact):
        await client.split_identity(ahua, ahua.contact_id)  # it has no other contact
    other = await client.who("张三")
    with pytest.raises(InvalidRequest):
        await client.merge_identities(ahua, other)  # both are in this login

    found = await client.find_people([ahua.contact_id, "@absent"])
    assert (found.get(ahua.contact_id).nickname, "@absent" in found) == ("阿华", False)  # type: ignore[union-attr]
    lookup = await client.get_contacts([ahua.contact_id, "@absent"])
    assert [each.nickname for each in lookup.found] == ["阿华"]
    assert lookup.missing == ("@absent",)


async def test_consumers_are_listed_and_forgotten(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    [position] = [each for each in await client.list_consumers() if each.name == "reader"]
    assert (position.acked > 0, position.dead_letters) == (True, 0)
    async with client.subscribe("reader"):
        with pytest.raises(AlreadyRunning):
            await client.forget_consumer("reader")
    assert await client.forget_consumer("reader")
    assert not await client.forget_consumer("reader")


async def test_the_whole_history_is_exported_and_says_what_was_sent_here(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        receipt = await client.send_text("阿华", "sent by the program")
        sandbox.say("me", "ahua", "written on the phone")
        phone = await next_event(stream, TextMessage, "written on the phone")
    assert isinstance(phone, TextMessage)
    assert not await client.was_sent_here(phone)
    exported = [each async for each in client.export_history()]
    assert phone.number in [each.number for each in exported]
    sent = [each for each in exported if getattr(each, "text", "") == "sent by the program"]
    assert len(sent) == 1
    if isinstance(sent[0], TextMessage):
        assert await client.was_sent_here(sent[0])
        assert sent[0].message_id == receipt.message_id


async def test_contacts_and_chats_are_found_and_changed(client: AsyncClient) -> None:
    ahua = await client.find_contact("阿华")
    assert (ahua.nickname, ahua.kind) == ("阿华", "friend")
    assert ahua.id in {each.id for each in await client.list_contacts()}
    assert await client.list_chats()
    assert {each.name for each in await client.list_articles()} <= {
        each.nickname for each in await client.list_contacts() if each.kind == "official"
    }
    await client.mark_read(ahua)
    assert (await client.set_remark(ahua, "邻居/家")).remark == "邻居/家"
    assert (await client.find_contact("邻居/家")).id == ahua.id
    assert (await client.set_pinned(ahua)).is_pinned
    assert await client.download_avatar(ahua)
    await client.set_remark(ahua, "")


async def test_unread_messages_are_counted_until_the_chat_is_read(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        await client.mark_read("阿华")
        assert await client.count_unread("阿华") == 0
        sandbox.say("ahua", "me", "to count")
        await next_event(stream, TextMessage, "to count")
        assert await client.count_unread("阿华") == 1
        await client.send_text("阿华", "an answer")
        assert await client.count_unread("阿华") == 0
    with pytest.raises(UnknownContact):
        await client.count_unread("unknown")


async def test_chatrooms_are_created_renamed_and_left(client: AsyncClient) -> None:
    made = await client.create_chatroom(["阿华", "张三"], name="计划")
    room = made.chatroom
    assert (room.nickname, room.kind) == ("计划", "chatroom")
    left = await client.remove_members(room, ["阿华"])
    assert len(left.members) == 2
    invited = await client.invite_members(room, ["阿华"])
    assert (len(invited.added), len(invited.invited)) == (0, 1)
    assert await client.download_avatar(made.added[0], met_in=room)
    renamed = await client.rename_chatroom(room, "新计划")
    assert renamed.nickname == "新计划"
    await client.leave_chatroom(renamed)


async def test_a_member_is_added_and_messages_are_answered(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    room = (await client.create_chatroom(["阿华", "张三"], name="计划")).chatroom
    added = await client.add_members(room, ["李雷"])
    assert len(added.added) == 1
    async with client.events("reader") as stream:
        sandbox.say("ahua", "me", "are you there?")
        question = await next_event(stream, TextMessage, "are you there?")
        assert isinstance(question, TextMessage)
        await client.reply(question, "yes")
        sandbox.control("picture", to="me", name="dot.png", content=base64.b64encode(PNG).decode(), **{"from": "ahua"})
        picture = await next_event(stream, ImageMessage)
        assert isinstance(picture, ImageMessage)
        assert await client.download_thumbnail(picture)
    assert "yes" in texts(sandbox, "ahua", "xiaoming")
    await client.send_video("阿华", MP4, name="clip.mp4")
    assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["kind"] == "video"


async def test_a_friend_is_requested_and_a_request_is_accepted(client: AsyncClient, sandbox: Sandbox) -> None:
    await begin_reader(client, sandbox)
    async with client.events("reader") as stream:
        sandbox.control("ask", to="me", greeting="你好", **{"from": "lilei"})
        request = await next_event(stream, FriendRequest)
        assert isinstance(request, FriendRequest)
        await client.accept_friend(request)
    await client.find_contact("李雷")
    await client.add_friend("张三", "你好")


async def test_a_text_can_be_queued_and_sent_by_a_retry(client: AsyncClient, sandbox: Sandbox) -> None:
    queued = await client.queue_text("filehelper", "later", key="later")
    assert (queued.kind, queued.text) == ("text", "later")
    receipt = await client.retry_send(queued.number)
    assert (receipt.client_id, receipt.chat) == (queued.client_id, "filehelper")
    sent = await client.find_send(number=queued.number)
    assert sent is not None
    assert sent.state == "sent"
    assert texts(sandbox, "me", "filehelper")[-1] == "later"


async def test_the_account_is_known_after_login(client: AsyncClient) -> None:
    account = await client.login()
    assert (account.nickname, account.host) == ("小明", "web")
    assert client.account.nickname == "小明"
    assert client.state.value == "online"
    assert client.state_since is not None
    assert (await client.check()).nickname == "小明"
