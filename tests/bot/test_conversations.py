"""Conversations: which events share a state, across logins, and the order of handlers with one state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.bot import conversations
from webwx.bot.bot import Bot
from webwx.bot.steps import Step, Steps
from webwx.model.events import ContactChanged
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.bot.conversations import StateKey
    from webwx.model.messages import Event
    from webwx.testing import Chatroom, Clock, PhoneUser, Sandbox


class Talk(Steps):
    begun = Step()


def counting(state_key: StateKey = "chat") -> Bot:
    """Return a bot that replies with the number of messages in one state."""
    bot = Bot(state_key=state_key)

    @bot.on(TextMessage)
    async def count(ctx: Context, message: TextMessage) -> None:
        values = await ctx.state.get_values(dict)
        await ctx.state.set_values({"count": values.get("count", 0) + 1})
        await ctx.reply(f"{message.text} {values.get('count', 0) + 1}")

    return bot


def test_people_of_a_chatroom_share_its_state(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_chatroom: Chatroom
) -> None:
    other = webwx_sandbox.person("lilei")
    with webwx_sandbox.running(counting()):
        webwx_friend.say("a", to=webwx_chatroom)
        assert webwx_friend.hears("a 1", chat=webwx_chatroom)
        other.say("b", to=webwx_chatroom)
        assert webwx_friend.hears("b 2", chat=webwx_chatroom)
        webwx_friend.say("c")
        assert webwx_friend.hears("c 1")


def test_each_person_of_a_chatroom_has_a_state_with_the_key_person(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_chatroom: Chatroom
) -> None:
    other = webwx_sandbox.person("lilei")
    with webwx_sandbox.running(counting("person")):
        for who, text in ((webwx_friend, "a 1"), (other, "b 1"), (webwx_friend, "c 2")):
            who.say(text[0], to=webwx_chatroom)
            assert webwx_friend.hears(text, chat=webwx_chatroom)
        webwx_friend.say("d")
        assert webwx_friend.hears("d 1")


def test_a_function_selects_the_state(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    other = webwx_sandbox.person("lilei")
    with webwx_sandbox.running(counting(lambda _: "all")):
        webwx_friend.say("a")
        assert webwx_friend.hears("a 1")
        other.say("b")
        assert other.hears("b 2")


def test_a_function_that_returns_no_text_is_the_failure_of_the_event(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, errors = counting(lambda _: ""), list[str]()

    @bot.on_error
    async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
        errors.append(str(error))

    with webwx_sandbox.running(bot):
        webwx_friend.say("a")
        webwx_clock.wind(minutes=1)

    assert errors == ["The function of state_key= returned str; it must return a text."] * 3


def test_a_wrong_key_is_refused() -> None:
    with pytest.raises(ValueError, match="state_key= cannot be 'room'"):
        Bot(state_key="room")  # type: ignore[arg-type]  # what is refused


def test_handlers_with_the_same_state_run_one_after_the_other(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, log = Bot(state_key=lambda _: "all"), list[str]()
    other = webwx_sandbox.person("lilei")

    @bot.on(TextMessage)
    async def slow(ctx: Context, message: TextMessage) -> None:
        values = await ctx.state.get_values(dict)
        log.append(f"begin {values.get('count', 0)}")
        await asyncio.sleep(60)
        await ctx.state.set_values({"count": values.get("count", 0) + 1})
        log.append("end")

    with webwx_sandbox.running(bot):
        webwx_friend.say("a")
        other.say("b")
        webwx_clock.wind(minutes=5)

    assert log == ["begin 0", "end", "begin 1", "end"]


def test_a_state_survives_a_new_login(webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock) -> None:
    with webwx_sandbox.running(counting()):
        webwx_friend.say("a")
        assert webwx_friend.hears("a 1")
        webwx_sandbox.do(lambda world: world.evict("me"))
        webwx_clock.wind(minutes=5)
        webwx_friend.say("b")
        assert webwx_friend.hears("b 2")


@pytest.mark.parametrize("cached", [10_000, 1])
def test_a_state_stays_with_a_member_who_becomes_a_contact(
    webwx_sandbox: Sandbox,
    webwx_friend: PhoneUser,
    webwx_chatroom: Chatroom,
    monkeypatch: pytest.MonkeyPatch,
    cached: int,
) -> None:
    monkeypatch.setattr(conversations, "CACHED", cached)
    stranger = webwx_sandbox.add_stranger("王五")
    with webwx_sandbox.running(counting("person")):
        webwx_chatroom.add(stranger)
        stranger.say("a", to=webwx_chatroom)
        assert webwx_friend.hears("a 1", chat=webwx_chatroom)
        webwx_sandbox.do(lambda world: world.befriend("me", stranger.id))
        webwx_sandbox.settle()
    for number in (2, 3):
        with webwx_sandbox.running(counting("person")):
            stranger.say("b", to=webwx_chatroom)
            assert webwx_friend.hears(f"b {number}", chat=webwx_chatroom)


def test_more_conversations_than_fit_into_memory(webwx_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "CACHED", 1)
    people = [webwx_sandbox.person(name) for name in ("ahua", "lilei", "zhangsan")]
    with webwx_sandbox.running(counting()):
        for number in (1, 2, 3):
            for person in people:
                person.say("x")
                assert person.hears(f"x {number}")


def test_an_event_without_a_chat_has_no_state(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot, refused = Bot(attempts=1), list[str]()

    @bot.on(ContactChanged)
    async def changed(ctx: Context, event: ContactChanged) -> None:
        await ctx.state.get_step()

    @bot.on_error
    async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
        refused.append(str(error))

    with webwx_sandbox.running(bot):
        webwx_sandbox.do(lambda world: world.change_profile("ahua", nickname="新名字"))
        webwx_sandbox.settle()

    assert refused == ["This ContactChanged has no chat, and so no state."]
