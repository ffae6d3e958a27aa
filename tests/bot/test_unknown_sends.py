"""Sends of handlers whose outcome is unknown: they count as made, and the conversation continues."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.client.conftest import GIF, MP4, PNG, last

from webwx.bot import unknown_sends
from webwx.bot.bot import Bot
from webwx.bot.chat_queues import DeliveryCounts
from webwx.bot.context import Context
from webwx.bot.delivery import deliver
from webwx.bot.steps import Step, Steps
from webwx.bot.unknown_sends import UnknownSends
from webwx.errors import InvalidRequest, SendOutcomeUnknown
from webwx.model.events import StateTimedOut
from webwx.model.messages import Event, Receipt, TextMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot.conftest import OpenClient
    from tests.carriers import Counted

    from webwx.bot.http_handlers import HttpRequest
    from webwx.bot.sync_context import SyncContext
    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World
    from webwx.testing import Clock, Faults, PhoneUser, Sandbox


class Order(Steps):
    day = Step()


def booking(**choices: str) -> Bot:
    """Return a bot that asks for a day, and books it."""
    bot = Bot(**choices)  # type: ignore[arg-type]  # its arguments

    @bot.on(TextMessage, state=Order.day)
    async def book(ctx: Context, message: TextMessage) -> None:
        await ctx.state.clear()
        await ctx.reply(f"Booked: {message.text}.")

    @bot.on(TextMessage, text="book")
    async def ask(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("Which day?")
        await ctx.state.set_step(Order.day)

    return bot


def test_conversation_continues_after_a_lost_answer(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    bot = booking()
    webwx_faults.lose_answer()
    with webwx_sandbox.running(bot):
        webwx_friend.say("book")
        assert webwx_friend.hears("Which day?")
        webwx_friend.say("Monday")
        assert webwx_friend.hears("Booked: Monday.")
        webwx_sandbox.settle()
        assert (bot.counts.unknown_sends, bot.counts.failed, bot.counts.dead) == (1, 0, 0)
    assert [each.text for each in webwx_friend.inbox if each.text == "Which day?"] == ["Which day?"]
    [told] = [record for record in caplog.records if "counts as made" in record.getMessage()]
    assert told.levelno == logging.WARNING
    assert "Which" not in told.getMessage()


def test_without_continuing_a_lost_answer_makes_a_dead_letter(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock, webwx_faults: Faults
) -> None:
    bot = booking(on_unknown="raise")
    webwx_faults.lose_answer()
    with webwx_sandbox.running(bot):
        webwx_friend.say("book")
        webwx_clock.wind(minutes=1)
        assert (bot.counts.unknown_sends, bot.counts.dead) == (0, 1)


def test_wrong_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="on_unknown= cannot be 'ignore'"):
        Bot(on_unknown="ignore")  # type: ignore[arg-type]  # what is refused


def test_question_with_a_lost_answer_of_the_platform_waits_for_the_answer_of_the_person(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_faults: Faults
) -> None:
    bot = Bot()

    @bot.on(TextMessage, text="book")
    async def book(ctx: Context, message: TextMessage) -> None:
        day = await ctx.ask("Which day?")
        await ctx.reply(f"Booked: {day.text}.")

    webwx_faults.lose_answer()
    with webwx_sandbox.running(bot):
        webwx_friend.say("book")
        assert webwx_friend.hears("Which day?")
        webwx_friend.say("Monday")
        assert webwx_friend.hears("Booked: Monday.")


def test_a_send_that_counts_as_made_is_not_repeated_by_a_later_attempt_or_process(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock, webwx_faults: Faults
) -> None:
    bot, attempts = Bot(), list[bool]()

    @bot.on(TextMessage, text="go")
    async def fail_twice(ctx: Context, message: TextMessage) -> None:
        receipt = await ctx.reply("once")
        attempts.append(receipt.is_unknown)
        if ctx.attempt < 3:
            raise RuntimeError
        await ctx.reply("done")

    webwx_faults.lose_answer()
    with webwx_sandbox.running(bot):
        webwx_friend.say("go")
        webwx_clock.wind(2)
    assert attempts == [True, True]
    with webwx_sandbox.running(bot):
        webwx_clock.wind(10)
        assert webwx_friend.hears("done")
    assert attempts == [True, True, True]
    assert [each.text for each in webwx_friend.inbox].count("once") == 1


def test_receipt_of_an_unknown_reply_names_the_send_and_cannot_be_recalled(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_faults: Faults
) -> None:
    bot, seen = Bot(), list[object]()

    @bot.on(TextMessage, text="secret")
    async def reply(ctx: Context, message: TextMessage) -> None:
        receipt = await ctx.reply("1234")
        seen.extend((receipt.is_unknown, receipt.chat == ctx.chat))
        send = await ctx.client.find_send(client_id=receipt.client_id)
        assert send is not None
        seen.append(send.state)
        with pytest.raises(InvalidRequest, match="It is unknown whether"):
            await ctx.recall(receipt)
        seen.append("end")

    webwx_faults.lose_answer()
    with webwx_sandbox.running(bot):
        webwx_friend.say("secret")
        webwx_sandbox.settle()
    assert seen == [True, True, "unknown", "end"]


def test_timers_time_outs_and_requests_continue_after_a_lost_answer(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_account: PhoneUser, webwx_clock: Clock, webwx_faults: Faults
) -> None:
    bot, receipts = Bot(), list[bool]()

    @bot.every(minutes=10)
    async def tick(ctx: Context) -> None:
        receipts.append((await ctx.send_text("filehelper", "tick")).is_unknown)

    @bot.timer()
    async def once(ctx: Context, data: str) -> None:
        receipts.append((await ctx.reply(data)).is_unknown)

    @bot.on(StateTimedOut)
    async def late(ctx: Context, event: StateTimedOut) -> None:
        receipts.append((await ctx.reply("too late")).is_unknown)

    @bot.on(TextMessage, text="go")
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Order.day, timeout=60)
        await ctx.call_later(once, minutes=2, data="later")

    @bot.on_http("/tell")
    def tell(ctx: SyncContext, request: HttpRequest) -> None:
        receipts.append(ctx.send_text("filehelper", "told").is_unknown)

    webwx_faults.lose_answer(times=4)
    with webwx_sandbox.running(bot) as running:
        webwx_friend.say("go")
        webwx_clock.wind(minutes=11)
        assert webwx_friend.hears("too late")
        assert webwx_friend.hears("later")
        assert webwx_account.hears("tick")
        assert running.request("POST", "/tell").status == 204
        assert (bot.counts.unknown_sends, bot.timer_counts.failed, bot.counts.dead) == (4, 0, 0)
    assert receipts == [True] * 4


def contexts(client: AsyncClient, counts: DeliveryCounts) -> Callable[[], Context]:
    """Return a function that makes the context of each attempt at one event."""
    chat = client.contacts.find(nickname="阿华").id
    event = TextMessage(number=7, message_id="1", chat=chat, sender=chat, is_self=False, time=0, content="a", text="a")
    sends = UnknownSends("bot", counts)
    return lambda: Context(client, event, key="bot/7", _unknown_sends=sends)


async def test_the_number_of_remembered_sends_is_bounded(
    open_client: OpenClient, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown_sends, "_REMEMBERED", 2)
    counts = DeliveryCounts()
    async with open_client() as client:
        attempt = contexts(client, counts)
        counted.lose_answers("webwxsendmsg", times=3)
        for _ in range(2):
            context = attempt()
            for text in ("a", "b", "c"):
                assert (await context.reply(text)).is_unknown
    assert counts.unknown_sends == 6, "the oldest was forgotten, so each is counted again"


async def test_each_send_of_a_context_counts_as_made(
    open_client: OpenClient, counted: Counted, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    counts = DeliveryCounts()
    async with open_client() as client:
        attempt = contexts(client, counts)
        for _ in range(2):
            if counts.unknown_sends == 0:
                for call in ("webwxsendmsg", "webwxsendmsgimg", "webwxsendvideomsg", "webwxsendemoticon"):
                    counted.lose_answers(call, times=2 if call == "webwxsendmsg" else 1)
                counted.lose_answers("webwxsendappmsg")
            ctx = attempt()
            made = [
                await ctx.reply("1"), await ctx.send_image("阿华", PNG, name="2.png"),
                await ctx.send_video("阿华", MP4, name="3.mp4"), await ctx.send_sticker("阿华", GIF, name="4.gif"),
                await ctx.send_file("阿华", b"5", name="5.txt"), await ctx.forward(ctx.event, "阿华"),
            ]  # fmt: skip
            assert [each.is_unknown for each in made] == [True] * 6
        assert [each.state for each in await client.list_sends()] == ["unknown"] * 6
    assert counts.unknown_sends == 6
    assert len([each for each in caplog.records if "counts as made" in each.getMessage()]) == 6
    assert len(world.inbox("ahua")["xiaoming"].messages) == 6


async def test_client_of_a_context_raises(open_client: OpenClient, counted: Counted) -> None:
    async with open_client() as client:
        counted.lose_answers("webwxsendmsg")
        with pytest.raises(SendOutcomeUnknown):
            await contexts(client, DeliveryCounts())().client.send_text("阿华", "a", key="1")


async def test_send_that_another_process_makes_is_waited_for(open_client: OpenClient, counted: Counted) -> None:
    counts = DeliveryCounts()
    async with open_client() as client, client.subscribe("other") as subscription:
        outbox = subscription.part.outbox
        chat = client.contacts.find(nickname="阿华").id
        row = await outbox.add(
            client_id="17", chat=chat, kind="text", text="a", key="bot/7/1", time=client.clock(), state="sending"
        )
        made = asyncio.create_task(contexts(client, counts)().reply("a"))
        done, _ = await asyncio.wait([made], timeout=0.3)
        assert not done
        receipt = Receipt(message_id="99", client_id="17", chat=chat, time=client.clock())
        await outbox.settle(row.number, "sent", time=client.clock(), receipt=receipt)
        assert receipt == await made
    assert "webwxsendmsg" not in counted.calls
    assert counts.unknown_sends == 0


async def test_delivery_to_one_handler_continues_after_a_lost_answer(
    open_client: OpenClient, counted: Counted, world: World
) -> None:
    counts = DeliveryCounts()

    async def answer(ctx: Context, event: Event) -> None:
        if isinstance(event, TextMessage) and not event.is_self:
            await ctx.reply("pong")

    async with open_client() as client:
        counted.lose_answers("webwxsendmsg")
        bot = asyncio.create_task(deliver(client, answer, counts=counts))
        await until(lambda: bool(counted.calls.count("synccheck")))
        world.say("ahua", "me", "ping")
        await until(lambda: counts.delivered >= 1 and last(world, "ahua", "xiaoming").text == "pong")
        bot.cancel()
        await asyncio.wait([bot])
        with pytest.raises(ValueError, match="on_unknown="):
            await deliver(client, answer, on_unknown="ignore")  # type: ignore[arg-type]  # what is refused
    assert (counts.unknown_sends, counts.failed) == (1, 0)
