"""Selection of the handler for an event: the first that matches, in the order of the program."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import pytest
from tests.bot.conftest import running, until

import webwx
from webwx.bot.bot import Bot
from webwx.bot.router import Handler, Router, Routes
from webwx.bot.steps import Step, Steps
from webwx.model.contacts import ContactId
from webwx.model.events import AnyEvent, ContactChanged, ContinuityLost, LoopDetected
from webwx.model.login import Account
from webwx.model.messages import (
    Event,
    FileMessage,
    ImageMessage,
    MemberJoined,
    Message,
    MessageRecalled,
    PhoneActivity,
    QuoteMessage,
    SystemMessage,
    TextMessage,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.sandbox.world import World
    from webwx.testing import PhoneUser, Sandbox


def noting(received: list[str], name: str) -> Callable[[Context, Event], Awaitable[None]]:
    """Return a handler that records its name and its events."""

    async def handler(ctx: Context, event: Event) -> None:
        received.append(f"{name}: {getattr(event, 'text', type(event).__name__)}")

    return handler


def named(name: str) -> Callable[[Context, Any], Awaitable[None]]:
    handler = noting([], name)
    handler.__qualname__ = name
    return handler


def tried_for(router: Router, kind: type[Event]) -> list[str]:
    return [each.name for each in Routes(router.handlers()).of(kind)]


class TestOrder:
    async def test_only_the_first_matching_handler_gets_an_event(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)
            bot.on(TextMessage, text="ping")(noting(received, "ping"))
            bot.on(TextMessage, regex="^p")(noting(received, "p"))
            bot.on(TextMessage)(noting(received, "any"))
            bot.on(TextMessage, text="ping")(noting(received, "never"))
            async with running(bot, client):
                for text in ("ping", "pong", "other"):
                    world.say("ahua", "me", text)
                await until(lambda: len(received) == 3)
        assert received == ["ping: ping", "p: pong", "any: other"]

    def test_included_router_is_tried_after_its_parent_and_before_the_next(self) -> None:
        bot, first, inner, second = Bot(), Router(), Router(), Router()
        first.include(inner)
        bot.include(first)
        bot.include(second)
        for router, name in ((second, "second"), (inner, "inner"), (first, "first"), (bot, "bot"), (bot, "bot too")):
            router.on(TextMessage)(named(name))
        assert tried_for(bot, TextMessage) == ["bot", "bot too", "first", "inner", "second"]
        assert repr(bot) == "Bot('bot')"
        assert repr(first) == "Router(2 handlers)"

    def test_a_router_may_be_included_twice(self) -> None:
        bot, router = Bot(), Router()
        router.on(TextMessage)(named("one"))
        bot.include(router)
        bot.include(router)
        assert tried_for(bot, TextMessage) == ["one", "one"]

    def test_a_router_cannot_include_itself(self) -> None:
        one, other = Router(), Router()
        one.include(other)
        for router in (one, other):
            with pytest.raises(ValueError, match="cannot include itself"):
                router.include(one)

    def test_one_function_may_be_several_handlers(self) -> None:
        router = Router()
        both: Any = named("both")  # A decorator accepts it for one event, and returns it for that one.
        handler = router.on(TextMessage, text="a")(router.on(ImageMessage)(both))
        assert handler.__qualname__ == "both"
        assert tried_for(router, TextMessage) == tried_for(router, ImageMessage) == ["both"]


class TestKinds:
    def test_a_handler_without_an_event_class_gets_messages(self) -> None:
        router = Router()
        router.on()(named("any"))
        for kind, expected in ((TextMessage, ["any"]), (MemberJoined, ["any"]), (MessageRecalled, [])):
            assert tried_for(router, kind) == expected

    def test_an_event_class_includes_its_subclasses(self) -> None:
        router = Router()
        router.on(SystemMessage)(named("grey"))
        router.on(ImageMessage, FileMessage)(named("media"))
        router.on(Event)(named("all"))
        assert tried_for(router, MemberJoined) == ["grey", "all"]
        assert tried_for(router, FileMessage) == ["media", "all"]
        assert tried_for(router, ContinuityLost) == tried_for(router, LoopDetected) == ["all"]

    @pytest.mark.parametrize(
        "kind", [kind for kind in get_args(AnyEvent) if kind.is_quiet], ids=lambda kind: kind.__name__
    )
    def test_quiet_events_go_only_to_handlers_that_name_their_class(self, kind: type[Event]) -> None:
        router = Router()
        router.on(Event)(named("all"))
        router.on(kind)(named("its own"))
        assert tried_for(router, kind) == ["its own"]

    def test_an_event_without_the_field_of_a_keyword_does_not_match(self) -> None:
        router = Router()
        router.on(Event, group=True)(named("group"))
        router.on(Message, text="ping")(named("text"))
        assert tried_for(router, TextMessage) == ["group", "text"]
        assert tried_for(router, ImageMessage) == tried_for(router, MessageRecalled) == ["group"]
        assert tried_for(router, ContinuityLost) == []

    async def test_changes_of_contacts_reach_their_handler(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)
            bot.on(ContactChanged)(noting(received, "changed"))
            bot.on(PhoneActivity)(noting(received, "phone"))
            async with running(bot, client):
                world.befriend("me", "ahua", remark="华")
                world.read_chat(who="me", chat="ahua")
                await until(lambda: {"changed: ContactChanged", "phone: PhoneActivity"} == set(received))


class TestFilters:
    @pytest.mark.parametrize("is_asynchronous", [False, True])
    @pytest.mark.parametrize("takes_context", [False, True])
    async def test_filters_are_called_after_keywords_with_or_without_the_context(
        self, open_client: OpenClient, world: World, is_asynchronous: bool, takes_context: bool
    ) -> None:
        received, asked = list[str](), list[str]()

        def look(event: TextMessage) -> bool:
            asked.append(event.text)
            return event.text.endswith("!")

        async def look_later(event: TextMessage) -> bool:
            return look(event)

        def look_with(ctx: Context, event: TextMessage) -> bool:
            assert ctx.event is event
            return look(event)

        async def look_later_with(ctx: Context, event: TextMessage) -> bool:
            return look_with(ctx, event)

        filter_: Any = ((look, look_with), (look_later, look_later_with))[is_asynchronous][takes_context]
        async with open_client() as client:
            bot = Bot(client=client)
            bot.on(TextMessage, filter_, chat="阿华")(noting(received, "loud"))
            bot.on(TextMessage)(noting(received, "quiet"))
            async with running(bot, client):
                for sender, text in (("ahua", "hey!"), ("ahua", "hey"), ("lilei", "oh!")):
                    world.say(sender, "me", text)
                    await until(lambda: any(each.endswith(text) for each in received))  # noqa: B023 - called before the next turn
        assert received == ["loud: hey!", "quiet: hey", "quiet: oh!"]
        assert asked == ["hey!", "hey"]

    async def test_first_filter_that_returns_false_ends_the_check(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []

        def no(event: Event) -> bool:
            return False

        def never(event: Event) -> bool:
            raise AssertionError

        async with open_client() as client:
            bot = Bot(client=client)
            bot.on(TextMessage, lambda event: True, no, never)(noting(received, "all"))
            bot.on(TextMessage)(noting(received, "rest"))
            async with running(bot, client):
                world.say("ahua", "me", "?")
                await until(lambda: received == ["rest: ?"])

    async def test_filter_that_raises_counts_as_a_failed_attempt(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []

        def broken(event: Event) -> bool:
            raise ZeroDivisionError

        async with open_client() as client:
            bot = Bot(client=client, attempts=1)
            bot.on(TextMessage, broken, text="bad")(noting(received, "bad"))
            bot.on(TextMessage)(noting(received, "any"))
            async with running(bot, client):
                world.say("ahua", "me", "bad")
                world.say("ahua", "me", "good")
                await until(lambda: received == ["any: good"])
            assert (bot.counts.failed, bot.counts.dead) == (1, 1)


class TestMistakes:
    def test_error_names_a_handler_with_a_wrong_signature(self) -> None:
        def handler(message: Message) -> None:
            raise AssertionError

        with pytest.raises(TypeError, match=r"with a context and an event; .*handler does not take 2 arguments"):
            Router().on(TextMessage)(handler)  # type: ignore[arg-type]  # that is the mistake

    async def test_decorator_without_parentheses_raises_at_the_start(self, open_client: OpenClient) -> None:
        async with open_client() as client:
            bot, router = Bot(client=client), Router()
            bot.include(router)

            @router.on
            async def handler(ctx: Context, message: Message) -> None:
                raise AssertionError

            with pytest.raises(
                ValueError, match=r"The decorator of on\(\) at test_router\.py:\d+ was not applied to a function"
            ):
                await bot.start()

    def test_include_refuses_a_module(self) -> None:
        with pytest.raises(TypeError, match=r"include\(\) takes a router, .* got <module 'webwx"):
            Router().include(webwx)  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize(("kind", "shown"), [(named, "named"), ("ValueError", "'ValueError'"), (int, "int")])
def test_error_names_what_is_no_class_of_exceptions(kind: Any, shown: str) -> None:
    with pytest.raises(TypeError, match=rf"^error\(\) takes classes of exceptions, such as .*; got {shown}\.$"):
        Router().error(kind)


def test_an_object_and_a_partial_function_can_be_handlers() -> None:
    class Echo:
        async def __call__(self, ctx: Context, event: Event) -> None:
            raise AssertionError

    async def add(number: int, ctx: Context, event: Event) -> None:
        raise AssertionError

    def plain(number: int, ctx: Context, event: Event) -> None:
        raise AssertionError

    made = [Handler(each, (), (), {}) for each in (Echo(), partial(add, 1), partial(plain, 1))]
    assert [each.is_plain for each in made] == [False, False, True]
    assert "Echo" in made[0].name
    assert [each.name for each in made[1:]] == [
        "test_an_object_and_a_partial_function_can_be_handlers.<locals>.add",
        "test_an_object_and_a_partial_function_can_be_handlers.<locals>.plain",
    ]


def test_classes_are_event_classes_and_other_callables_are_filters() -> None:
    def is_weekday(event: Event) -> bool:
        return date(2026, 1, 1).weekday() < 5

    router = Router()
    router.on(TextMessage, is_weekday, ImageMessage)(named("both"))
    assert tried_for(router, ImageMessage) == tried_for(router, TextMessage) == ["both"]


class TestFileTransferHelper:
    """File Transfer Helper has one chat and no contacts."""

    ACCOUNT = Account(id=ContactId("@me"), nickname="小明", uin=1, host="filehelper")

    @pytest.mark.parametrize(
        ("event_types", "keywords", "reason"),
        [
            ((MemberJoined,), {}, "there is no MemberJoined event"),
            ((TextMessage,), {"group": True}, "group=True needs a chatroom"),
            ((TextMessage,), {"mentions_me": True}, "mentions_me=True needs a chatroom"),
            ((TextMessage,), {"chat": "家人群"}, "chat= names another contact"),
            ((TextMessage,), {"sender": ("阿华", "李雷")}, "sender= names another contact"),
            ((TextMessage, MemberJoined), {}, ""),
            ((TextMessage,), {"group": False}, ""),
            ((TextMessage,), {"chat": "filehelper"}, ""),
            ((TextMessage,), {"chat": "文件传输助手"}, ""),
            ((TextMessage,), {"chat": ("家人群", 12)}, ""),
            ((TextMessage,), {"sender": "小明"}, ""),
        ],
    )
    def test_handler_that_can_never_match_there_has_a_reason(
        self, event_types: tuple[type[Event], ...], keywords: Any, reason: str
    ) -> None:
        assert Handler(named("handler"), event_types, (), keywords).unreachable(self.ACCOUNT) == reason


async def test_the_match_of_a_refused_handler_is_not_passed_to_the_next_one(
    open_client: OpenClient, world: World
) -> None:
    matches: list[object] = []
    async with open_client() as client:
        bot = Bot(client=client)

        @bot.on(TextMessage, lambda event: False, regex="h")
        async def refused(ctx: Context, event: Event) -> None:
            raise AssertionError

        @bot.on(TextMessage)
        async def other(ctx: Context, event: Event) -> None:
            matches.append(ctx.match)

        async with running(bot, client):
            world.say("ahua", "me", "hey")
            await until(lambda: matches == [None])


@pytest.mark.parametrize("kind", [TextMessage, QuoteMessage])
def test_a_quote_in_a_text_reaches_handlers_of_texts_and_of_quotes(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, kind: type[TextMessage | QuoteMessage]
) -> None:
    bot = Bot()

    @bot.on(kind)
    async def answer(ctx: Context, message: TextMessage | QuoteMessage) -> None:
        await ctx.reply(f"heard: {message.text}")

    with webwx_sandbox.running(bot):
        webwx_friend.quote(webwx_friend.say("原文"), "回复")
        assert webwx_friend.hears("heard: 回复")


def test_a_quote_as_an_app_message_is_no_text(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    webwx_sandbox.switch(quotes="app")
    bot = Bot()

    @bot.on(TextMessage)
    async def text(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("a text")

    @bot.on(QuoteMessage)
    async def quote(ctx: Context, message: QuoteMessage) -> None:
        await ctx.reply("a quote")

    with webwx_sandbox.running(bot):
        said = webwx_friend.say("原文")
        assert webwx_friend.hears("a text")
        webwx_friend.quote(said, "回复")
        assert webwx_friend.hears("a quote")


@pytest.mark.parametrize(("quoted", "reply", "answer"), [("/add 1 2", "好", "other"), ("好", "/add 1 2", "3")])
def test_a_command_is_found_in_the_reply_of_a_quote_only(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, quoted: str, reply: str, answer: str
) -> None:
    bot = Bot()

    @bot.on(command="add")
    async def add(ctx: Context, message: TextMessage, one: int, other: int) -> None:
        await ctx.reply(str(one + other))

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("other")

    said = webwx_friend.say(quoted)
    with webwx_sandbox.running(bot):
        webwx_friend.quote(said, reply)
        assert webwx_friend.hears(answer)


def test_a_quote_reaches_a_state_and_answers_a_question(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    class Survey(Steps):
        name = Step()

    @bot.on(TextMessage, state=Survey.name)
    async def named(ctx: Context, message: TextMessage) -> None:
        age = await ctx.ask(f"{message.text}, how old?")
        await ctx.reply(f"{message.text} is {age.text}")

    @bot.on(TextMessage)
    async def start(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Survey.name)
        await ctx.reply("name?")

    with webwx_sandbox.running(bot):
        webwx_friend.say("hi")
        webwx_friend.quote(webwx_friend.hears("name?"), "阿华")
        webwx_friend.quote(webwx_friend.hears("阿华, how old?"), "30")
        assert webwx_friend.hears("阿华 is 30")
