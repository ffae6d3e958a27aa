"""Questions: a handler waits for an answer, which reaches it out of turn and is acknowledged with its event."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from webwx.bot.bot import Bot
from webwx.bot.delivery import deliver
from webwx.bot.questions import Dialogue
from webwx.bot.steps import Step, Steps
from webwx.errors import InvalidRequest, NoAnswer
from webwx.model.contacts import ContactId
from webwx.model.messages import ImageMessage, TextMessage

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.model.messages import Event
    from webwx.sandbox.world import World
    from webwx.testing import Chatroom, Clock, PhoneUser, Sandbox


class Survey(Steps):
    done = Step()


def asking(*, timeout: float | None = None, **choices: float) -> Bot:
    """Return a bot that asks two questions after the text "ask", and repeats other texts."""
    bot = Bot(**choices)  # type: ignore[arg-type]  # only numbers are chosen

    @bot.on(TextMessage, text="ask")
    async def ask(ctx: Context, message: TextMessage) -> None:
        name = await ctx.ask("name?", timeout=timeout)
        age = await ctx.ask("age?", timeout=timeout)
        await ctx.reply(f"{name.text} is {age.text}")

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"other: {message.text}")

    return bot


def test_the_answers_reach_only_the_waiting_handler(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    with webwx_sandbox.running(asking()) as running:
        for said, answer in (("ask", "name?"), ("阿华", "age?"), ("30", "阿华 is 30"), ("x", "other: x")):
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)
        webwx_sandbox.settle()
        assert running.unfinished_events == 0
    with webwx_sandbox.running(asking()):
        webwx_sandbox.settle()
        assert webwx_friend.hears_nothing()


def test_a_plain_handler_asks_without_await(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    def ask(ctx: SyncContext, message: TextMessage) -> None:
        ctx.reply(f"you are {ctx.ask('name?').text}")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("you are 阿华")


def test_a_handler_without_an_answer_ends_and_the_event_counts_as_handled(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot = asking(timeout=60)
    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_clock.wind(minutes=2)
        webwx_friend.say("late")
        assert webwx_friend.hears("other: late")
        assert bot.counts.failed == 0


def test_no_answer_is_an_error_that_a_handler_may_catch(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    async def ask(ctx: Context, message: TextMessage) -> None:
        with pytest.raises(NoAnswer, match="no answer in time"):
            await ctx.ask("name?", timeout=60)
        await ctx.reply("too late")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_clock.wind(minutes=2)
        assert webwx_friend.hears("too late")


def test_only_the_author_of_the_event_answers_in_a_chatroom(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_chatroom: Chatroom
) -> None:
    other = webwx_sandbox.person("lilei")
    with webwx_sandbox.running(asking()):
        webwx_friend.say("ask", to=webwx_chatroom)
        assert webwx_friend.hears("name?", chat=webwx_chatroom)
        other.say("李雷", to=webwx_chatroom)
        webwx_friend.say("阿华", to=webwx_chatroom)
        assert webwx_friend.hears("age?", chat=webwx_chatroom)
        webwx_friend.say("30", to=webwx_chatroom)
        assert webwx_friend.hears("阿华 is 30", chat=webwx_chatroom)
        assert webwx_friend.hears("other: 李雷", chat=webwx_chatroom)


def test_another_kind_of_message_is_no_answer_and_is_handled_afterwards(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser
) -> None:
    bot = asking()

    @bot.on(ImageMessage)
    async def picture(ctx: Context, message: ImageMessage) -> None:
        await ctx.reply("nice")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_friend.picture()
        for said, answer in (("阿华", "age?"), ("30", "阿华 is 30")):
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)
        assert webwx_friend.hears("nice")


def test_a_text_from_before_the_question_is_no_answer(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    with webwx_sandbox.running(asking()):
        webwx_sandbox.do(lambda world: [world.say("ahua", "me", text) for text in ("ask", "before")])
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("age?")
        webwx_friend.say("30")
        assert webwx_friend.hears("阿华 is 30")
        assert webwx_friend.hears("other: before")


def test_in_filehelper_the_phone_answers(webwx_sandbox: Sandbox, webwx_account: PhoneUser) -> None:
    webwx_sandbox.switch(echo="on")
    with webwx_sandbox.running(asking()):
        for said, answer in (("ask", "name?"), ("阿华", "age?"), ("30", "阿华 is 30")):
            webwx_account.say(said)
            assert webwx_account.hears(answer)


def test_a_handler_that_fails_gets_the_same_answers_again(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, answers = Bot(), list[str]()

    @bot.on(TextMessage)
    async def ask(ctx: Context, message: TextMessage) -> None:
        name = await ctx.ask("name?")
        answers.append(name.text)
        if ctx.attempt == 1:
            raise ValueError
        age = await ctx.ask("age?")
        await ctx.reply(f"{name.text} is {age.text}")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        webwx_clock.wind(minutes=1)
        assert webwx_friend.hears("age?")
        webwx_friend.say("30")
        assert webwx_friend.hears("阿华 is 30")
        assert webwx_friend.hears_nothing()
    assert answers == ["阿华", "阿华"]


def test_the_answers_of_a_dead_letter_are_acknowledged(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot = Bot(attempts=2)

    @bot.on(TextMessage, text="ask")
    async def ask(ctx: Context, message: TextMessage) -> None:
        await ctx.ask("name?")
        raise ValueError

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"other: {message.text}")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        webwx_clock.wind(minutes=1)
        assert bot.counts.dead == 1
        assert bot.counts.in_flight == 0
    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("other: x")
        assert webwx_friend.hears_nothing()


def test_the_end_of_the_bot_cancels_the_question_and_the_next_start_repeats_the_handler(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser
) -> None:
    bot, errors = asking(), list[str]()

    @bot.on_error
    async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
        errors.append(type(error).__name__)

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("age?")
    webwx_friend.say("30")
    with webwx_sandbox.running(bot):
        assert webwx_friend.hears("阿华 is 30")
        assert webwx_friend.hears_nothing(), "no question is sent twice"
    assert errors == []
    assert bot.counts.failed == 0


def test_a_plain_handler_that_waits_does_not_hold_up_the_end(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot, ended = Bot(), threading.Event()

    @bot.on(TextMessage)
    def ask(ctx: SyncContext, _: TextMessage) -> None:
        try:
            ctx.ask("name?")
        finally:
            ended.set()

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("name?")
    assert ended.wait(10), "its thread ends too, a moment later"


def test_the_time_limit_pauses_while_the_handler_waits(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot(time_limit=40, attempts=1)

    @bot.on(TextMessage)
    async def ask(ctx: Context, message: TextMessage) -> None:
        answer = await ctx.ask("name?")
        await asyncio.sleep(30)
        await ctx.reply(f"slept {answer.text}")
        await asyncio.sleep(30)
        await ctx.reply("awake")

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("name?")
        webwx_clock.wind(hours=1)
        assert "more than 30 s" not in caplog.text
        webwx_friend.say("well")
        webwx_clock.wind(minutes=2)
        assert webwx_friend.hears("slept well")
        assert webwx_friend.hears_nothing()
        assert bot.counts.dead == 1


def test_the_answers_are_stored_with_the_state(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage, state=None)
    async def ask(ctx: Context, message: TextMessage) -> None:
        answer = await ctx.ask("name?")
        await ctx.state.set_values({"name": answer.text})
        await ctx.state.set_step(Survey.done)
        await ctx.reply("thanks")

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(str(await ctx.state.get_values(dict)))

    with webwx_sandbox.running(bot) as running:
        for said, answer in (("ask", "name?"), ("阿华", "thanks")):
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)
        webwx_sandbox.settle()
        running.kill()
    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("{'name': '阿华'}")
        assert webwx_friend.hears_nothing()


def test_an_answer_arrives_although_waiting_handlers_fill_the_memory(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser
) -> None:
    with webwx_sandbox.running(asking(in_flight=1)):
        for said, answer in (("ask", "name?"), ("阿华", "age?"), ("30", "阿华 is 30")):
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)


def test_one_question_at_a_time(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    async def ask(ctx: Context, message: TextMessage) -> None:
        first = asyncio.ensure_future(ctx.ask("name?"))
        await asyncio.sleep(0)
        with pytest.raises(InvalidRequest, match="one question at a time"):
            await ctx.ask("age?")
        await ctx.reply((await first).text)

    with webwx_sandbox.running(bot):
        webwx_friend.say("ask")
        assert webwx_friend.hears("age?")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("阿华")


async def test_without_a_bot_nothing_can_be_asked(open_client: OpenClient, world: World) -> None:
    refused = asyncio.Event()

    async def handle(ctx: Context, event: Event) -> None:
        with pytest.raises(InvalidRequest, match="in a bot"):
            await ctx.ask("name?")
        refused.set()

    async with open_client() as client:
        delivering = asyncio.create_task(deliver(client, handle))
        await asyncio.sleep(0)
        world.say("ahua", "me", "x")
        await refused.wait()
        delivering.cancel()
        await asyncio.wait([delivering])


def test_the_repr_of_a_dialogue_shows_no_answer() -> None:
    chat = ContactId("@a")
    dialogue = Dialogue(TextMessage(message_id="1", chat=chat, sender=chat, is_self=False, time=0, content="", text=""))
    assert repr(dialogue) == "Dialogue(0 answers)"
