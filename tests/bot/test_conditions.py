"""Filters that combine with `&`, `|` and `~`, and their reasons in the log."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running, until

from webwx.bot.bot import Bot
from webwx.bot.conditions import Filter, reason_of
from webwx.bot.steps import Step, Steps
from webwx.model.contacts import ContactId
from webwx.model.messages import Event, ImageMessage, Message, TextMessage

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.sandbox.world import World


def message(text: str, chat: str = "@ahua") -> TextMessage:
    return TextMessage(
        number=1, message_id="1", chat=ContactId(chat), sender=ContactId(chat), is_self=False, time=0, content=text,
        text=text,
    )  # fmt: skip


async def reason(filter_: Filter, event: Event) -> str:
    """Return why an event does not match a filter that needs no client."""
    context: Any = None
    return await reason_of(filter_.condition, context, event)


def is_loud(event: TextMessage) -> bool:
    return event.text.isupper()


async def is_long(ctx: Context, event: TextMessage) -> bool:
    return len(event.text) > 5


def raises(event: Event) -> bool:
    raise AssertionError


class TestCombinations:
    @pytest.mark.parametrize(
        ("filter_", "text", "expected"),
        [
            (Filter(is_loud), "HEY", ""),
            (Filter(is_loud), "hey", "is_loud returned a false value"),
            (Filter(is_long), "long text", ""),
            (Filter(is_loud) & is_long, "LONG TEXT", ""),
            (Filter(is_loud) & is_long, "HEY", "is_long returned a false value"),
            (is_loud & Filter(is_long), "long text", "is_loud returned a false value"),
            (Filter(is_loud) & raises, "hey", "is_loud returned a false value"),
            (Filter(is_loud) | is_long, "long text", ""),
            (Filter(is_loud) | raises, "HEY", ""),
            (is_long | Filter(is_loud), "hey", "is_long returned a false value and is_loud returned a false value"),
            (~Filter(is_long), "hey", ""),
            (~Filter(is_long), "long text", "~is_long does not match"),
            (~(Filter(is_loud) | is_long), "HEY", "~(is_loud | is_long) does not match"),
            (~~Filter(is_loud), "HEY", ""),
            (Filter(is_loud, text="HEY"), "HEY", ""),
            (Filter(is_loud, text="HEY"), "HO", "text= does not match"),
            (Filter(regex=re.compile("^h")), "hey", ""),
            (Filter(regex="^h"), "oh", "regex= does not match"),
            (Filter(group=True), "hey", "group= does not match"),
            (Filter(group=False) & ~Filter(text="ho"), "hey", ""),
        ],
        ids=repr,
    )
    async def test_the_reason_names_the_part_that_did_not_match(
        self, filter_: Filter, text: str, expected: str
    ) -> None:
        assert await reason(filter_, message(text)) == expected

    @pytest.mark.parametrize("keyword", ["text", "regex", "chat", "sender", "group", "mentions_me", "state"])
    async def test_event_without_the_field_of_a_keyword_does_not_match(self, keyword: str) -> None:
        values: dict[str, Any] = {"group": True, "mentions_me": True, "state": None}
        filter_ = Filter(**{keyword: values.get(keyword, "x")})
        assert await reason(filter_, Event()) == f"{keyword}= does not match"
        assert await reason(~filter_, Event()) == ""

    def test_the_repr_of_a_filter_shows_its_parts(self) -> None:
        assert repr(~Filter(is_loud, chat="阿华") | is_long) == "Filter((~(is_loud & chat=) | is_long))"

    async def test_filter_can_be_written_above_a_function(self) -> None:
        @Filter
        def is_short(event: TextMessage) -> bool:
            return len(event.text) < 5

        assert await reason(is_short & is_loud, message("HEY")) == ""


class TestInBots:
    async def test_filters_select_the_handler(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []
        from_friends = Filter(chat=("阿华", "李雷"))
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(TextMessage, from_friends & ~Filter(is_loud))
            async def quiet(ctx: Context, event: TextMessage) -> None:
                received.append(f"quiet: {event.text}")

            @bot.on(Filter(sender="阿华") | Filter(mentions_me=True))
            async def ahua(ctx: Context, event: Message) -> None:
                received.append(f"ahua or mentioned: {getattr(event, 'text', type(event).__name__)}")

            @bot.on(TextMessage)
            async def rest(ctx: Context, event: TextMessage) -> None:
                received.append(f"rest: {event.text}")

            async with running(bot, client):
                for sender, to, text in (
                    ("ahua", "me", "hey"), ("ahua", "me", "HEY"), ("lilei", "me", "OH"), ("zhangsan", "me", "hm"),
                    ("zhangsan", "hiking", "@小明 you?"),
                ):  # fmt: skip
                    world.say(sender, to, text)
                    await until(lambda: any(each.endswith(text) for each in received))  # noqa: B023 - called before the next turn
        assert received == [
            "quiet: hey", "ahua or mentioned: HEY", "rest: OH", "rest: hm", "ahua or mentioned: @小明 you?"
        ]  # fmt: skip

    async def test_step_of_a_conversation_is_a_condition(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(TextMessage, ~Filter(state=None))
            async def asked(ctx: Context, event: TextMessage) -> None:
                received.append(f"asked: {event.text}")

            @bot.on(TextMessage)
            async def first(ctx: Context, event: TextMessage) -> None:
                received.append(f"first: {event.text}")
                await ctx.state.set_step(Survey.name)

            async with running(bot, client):
                world.say("ahua", "me", "1")
                world.say("ahua", "me", "2")
                await until(lambda: len(received) == 2)
        assert received == ["first: 1", "asked: 2"]

    async def test_debug_log_names_the_part_that_did_not_match(
        self, open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "webwx.bot")
        async with open_client() as client:
            bot = Bot(client=client, debug=True)

            @bot.on(TextMessage, Filter(is_loud) & (Filter(chat="李雷") | is_long))
            async def handler(ctx: Context, event: TextMessage) -> None:
                raise AssertionError

            async with running(bot, client):
                world.say("ahua", "me", "HEY")
                await until(lambda: "chat= does not match and is_long returned a false value" in caplog.text)


class Survey(Steps):
    """Steps of a conversation."""

    name = Step()


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "keywords", "error"),
        [
            ((), {}, "give at least one"),
            ((), {"own": True}, r"Filter\(\) has no keyword own=; it has text=, .* state="),
            ((), {"text": 5}, "text= cannot be 5; give a text"),
            ((), {"chat": 1.5}, "chat= cannot be 1.5"),
            ((lambda: True,), {}, "A filter is called with an event, or with a context and an event"),
            (("text",), {}, "'text' is not callable"),
        ],
    )
    def test_argument_that_is_not_a_filter_is_refused(
        self, arguments: tuple[Any, ...], keywords: dict[str, Any], error: str
    ) -> None:
        with pytest.raises(TypeError, match=error):
            Filter(*arguments, **keywords)

    def test_combination_with_another_value_is_refused(self) -> None:
        with pytest.raises(TypeError, match="is not callable"):
            Filter(is_loud) | "text"  # type: ignore[operator]  # that is the mistake

    def test_filter_beside_an_event_class_it_cannot_match_is_accepted(self) -> None:
        bot = Bot()

        @bot.on(ImageMessage, ~Filter(text="x"))
        async def handler(ctx: Context, event: ImageMessage) -> None:
            raise AssertionError

        assert [each.name.rpartition(".")[2] for each in bot.handlers()] == ["handler"]
