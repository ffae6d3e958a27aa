"""The context of a handler: each send has a key, so that a repeated call does not send twice."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.client.conftest import GIF, MP4, PNG, last

from webwx.bot.context import Context
from webwx.errors import SendOutcomeUnknown, UnknownContact
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContactChanged
from webwx.model.messages import Event, ImageMessage, MessageRecalled, TextMessage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bot.conftest import OpenClient
    from tests.carriers import Counted

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World


def text_from(client: AsyncClient, nickname: str, number: int = 7) -> TextMessage:
    """Return an event with this number in the journal."""
    chat = client.contacts.find(nickname=nickname).id
    return TextMessage(
        number=number, message_id="1", chat=chat, sender=chat, is_self=False, time=0, content="在吗？", text="在吗？"
    )


def context(client: AsyncClient, event: Event, *, consumer: str = "bot", attempt: int = 1) -> Context:
    return Context(client, event, key=f"{consumer}/{event.number}", attempt=attempt)


@pytest.mark.parametrize("name", ["send_text", "send_image", "send_video", "send_sticker", "send_file", "forward"])
def test_a_method_equals_the_clients_except_for_the_key(name: str) -> None:
    from webwx.client.client import AsyncClient

    its = inspect.signature(getattr(AsyncClient, name)).parameters
    assert [each for each in its.values() if each.name != "key"] == list(
        inspect.signature(getattr(Context, name)).parameters.values()
    )


class TestKeys:
    async def test_a_repeated_handler_sends_nothing_twice(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            event = text_from(client, "阿华")
            ctx = context(client, event)
            first = [
                await ctx.reply("1"), await ctx.send_text("张三", "2"), await ctx.send_image("阿华", PNG, name="3.png"),
                await ctx.send_video("阿华", MP4, name="4.mp4"), await ctx.send_sticker("阿华", GIF, name="5.gif"),
                await ctx.send_file("阿华", b"6", name="6.txt"), await ctx.forward(event, "张三"),
            ]  # fmt: skip
            ctx = context(client, event, attempt=2)
            second = [
                await ctx.reply("1"), await ctx.send_text("张三", "2"), await ctx.send_image("阿华", PNG, name="3.png"),
                await ctx.send_video("阿华", MP4, name="4.mp4"), await ctx.send_sticker("阿华", GIF, name="5.gif"),
                await ctx.send_file("阿华", b"6", name="6.txt"), await ctx.forward(event, "张三"),
            ]  # fmt: skip
            assert first == second
            assert len(world.inbox("ahua")["xiaoming"].messages) == 5
            assert len(world.inbox("zhangsan")["xiaoming"].messages) == 2

    async def test_replies_with_media_go_to_the_chat_of_the_event_and_are_sent_once(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            event = text_from(client, "阿华")
            receipts = []
            for attempt in (1, 2):
                ctx = context(client, event, attempt=attempt)
                receipts.append([
                    await ctx.reply_image(PNG, name="1.png"), await ctx.reply_video(MP4, name="2.mp4"),
                    await ctx.reply_sticker(GIF, name="3.gif"), await ctx.reply_file(b"4", name="4.txt"),
                ])  # fmt: skip
            assert receipts[0] == receipts[1]
            assert {event.chat} == {receipt.chat for receipt in receipts[0]}
            assert len(world.inbox("ahua")["xiaoming"].messages) == 4

    async def test_event_without_a_chat_has_no_reply(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            with pytest.raises(UnknownContact, match="A timer or another account has no chat"):
                await context(client, Event()).reply_image(PNG)

    async def test_two_equal_replies_in_one_call_are_two_sends(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            ctx = context(client, text_from(client, "阿华"))
            assert await ctx.reply("!") != await ctx.reply("!")
            assert [message.text for message in world.inbox("ahua")["xiaoming"].messages] == ["!", "!"]

    async def test_other_events_and_other_consumers_have_other_keys(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            for number, consumer in ((7, "bot"), (8, "bot"), (7, "other")):
                await context(client, text_from(client, "阿华", number), consumer=consumer).reply("!")
            assert len(world.inbox("ahua")["xiaoming"].messages) == 3

    async def test_a_send_with_a_lost_answer_stays_unknown_and_is_not_repeated(
        self, open_client: OpenClient, world: World, counted: Counted
    ) -> None:
        async with open_client() as client:
            event = text_from(client, "阿华")
            counted.lose_answers("webwxsendmsg")
            for attempt in (1, 2, 3):
                with pytest.raises(SendOutcomeUnknown):
                    await context(client, event, attempt=attempt).reply("!")
            assert counted.calls.count("webwxsendmsg") == 1
            assert len(world.inbox("ahua")["xiaoming"].messages) == 1


class TestVerbs:
    async def test_the_four_actions_in_a_handler(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            world.say("ahua", "me", "在吗？")
            ctx = context(client, text_from(client, "阿华"))
            await ctx.mark_read()
            assert world.inbox("me")["ahua"].unread == 0
            receipt = await ctx.reply("在")
            assert last(world, "ahua", "xiaoming").text == "在"
            await ctx.recall(receipt)
            assert last(world, "ahua", "xiaoming").is_recalled
            await ctx.forward(ctx.event, "张三")
            assert last(world, "zhangsan", "xiaoming").text == "在吗？"

    async def test_reply_to_a_recall_goes_to_its_chat(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            chat = client.contacts.find(nickname="阿华").id
            gone = MessageRecalled(number=3, message_id="1", chat=chat, is_self=False, time=0, text="", content="")
            await context(client, gone).reply("?")
            assert last(world, "ahua", "xiaoming").text == "?"

    async def test_reply_to_an_event_without_a_chat_raises(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            changed = ContactChanged(number=3, contact=Contact(id=ContactId("@x"), nickname="阿华", kind="friend"))
            ctx = context(client, changed)
            with pytest.raises(UnknownContact, match="This ContactChanged has no chat"):
                await ctx.reply("?")
            with pytest.raises(UnknownContact, match="has no chat"):
                await ctx.mark_read()

    async def test_reply_in_a_timer_raises(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            with pytest.raises(UnknownContact, match="A timer or another account has no chat; pass the recipient"):
                await context(client, Event()).reply("?")

    async def test_context_has_the_number_of_the_attempt(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            event = msgspec.structs.replace(text_from(client, "阿华"), redelivered=True)
            ctx = context(client, event, attempt=2)
            assert (True, 2, event) == (ctx.redelivered, ctx.attempt, ctx.event)
            assert repr(ctx) == "Context(TextMessage 7, attempt 2)"

    async def test_context_downloads_media_of_a_message(
        self, open_client: OpenClient, world: World, tmp_path: Path
    ) -> None:
        async with open_client() as client:
            world.picture("ahua", "me", PNG)
            async with client.events("pictures", include_all=False) as events:
                picture = await anext(each async for each in events if isinstance(each, ImageMessage))
            ctx = context(client, picture)
            assert await ctx.download(picture) == PNG
            assert (await ctx.download_to(picture, tmp_path)).read_bytes() == PNG
