"""Commands: how they select a handler and its arguments, and where usage and help are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running, until
from tests.bot.test_dispatch import said

from webwx.bot.bot import Bot, check
from webwx.bot.commands import Commands
from webwx.bot.router import Router
from webwx.model.messages import ImageMessage, MemberJoined, Message, QuoteMessage, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event
    from webwx.sandbox.world import World


class Kitchen:
    """A value that is injected."""


def make_bot(client: AsyncClient, received: list[object], **choices: Any) -> Bot:
    """Make a bot with two commands and a handler for every other text."""
    bot = Bot(client=client, **choices)
    bot.provide(Kitchen())

    @bot.on(command=("remind", "提醒"))
    async def remind(ctx: Context, message: TextMessage, minutes: int, text: str = "tea") -> None:
        """
        Remind me later.

        The time is in minutes.
        """
        received.append((minutes, text))

    @bot.on(command="cook")
    def cook(ctx: SyncContext, message: TextMessage, *dishes: str, kitchen: Kitchen) -> None:
        assert isinstance(kitchen, Kitchen)
        assert ctx.command is not None
        received.append((ctx.command.prefix, ctx.command.name, dishes))

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        received.append(message.text)

    return bot


async def send_texts(world: World, received: list[object], *texts: str, sender: str = "ahua", to: str = "me") -> None:
    """Send texts, and wait until the last one was handled."""
    for text in (*texts, "end"):
        world.say(sender, to, text)
    await until(lambda: received[-1:] == ["end"])
    received.pop()


class TestCalls:
    async def test_words_after_the_name_are_arguments(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(
                world,
                received,
                "/remind 5 tea is ready",
                "／提醒\u30005\u3000喝茶",
                "/REMIND 6",
                "/cook fish 'hot pot'",
            )
        assert received == [(5, "tea is ready"), (5, "喝茶"), (6, "tea"), ("/", "cook", ("fish", "hot pot"))]

    async def test_other_texts_go_to_other_handlers(self, open_client: OpenClient, world: World) -> None:
        texts = [
            "/unknown",
            "remind 5",
            "/ remind 5",
            "/",
            "/reminder 5",
            "//remind 5",
            "!cook",
            "@阿华 /cook",
            "/help",
        ]
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(world, received, *texts)
            assert said(world, "ahua", "xiaoming") == []
        assert received == texts

    async def test_account_may_be_mentioned_before_a_command(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(world, received, "@小明\u2005/cook fish", "@小明 ／remind 5 x  y", "@小明", to="hiking")
        assert received == [("/", "cook", ("fish",)), (5, "x  y"), "@小明"]

    async def test_prefixes_are_set_by_the_bot(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with (
            open_client() as client,
            running(make_bot(client, received, commands=Commands(prefixes=("!", "!!", ""))), client),
        ):
            await send_texts(world, received, "!!cook", "！cook", "cook", "/cook")
        assert received == [("!!", "cook", ()), ("!", "cook", ()), ("", "cook", ()), "/cook"]

    async def test_other_filters_of_the_handler_apply_as_well(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(command="ban", chat="张三")
            async def ban(ctx: Context, message: TextMessage) -> None:
                received.append("banned")

            @bot.on()
            async def other(ctx: Context, message: Message) -> None:
                received.append(getattr(message, "text", ""))

            async with running(bot, client):
                world.say("zhangsan", "me", "/ban")
                await until(lambda: received == ["banned"])
                await send_texts(world, received, "/ban")
        assert received == ["banned", "/ban"]

    async def test_middleware_wraps_a_command(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with open_client() as client:
            bot = make_bot(client, received, commands=Commands(allow="阿华"))

            @bot.middleware
            async def only_cook(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
                if ctx.command is None or ctx.command.name == "cook":
                    await proceed()

            async with running(bot, client):
                await send_texts(world, received, "/remind", "/cook")
                assert said(world, "ahua", "xiaoming") == []
        assert received == [("/", "cook", ())]

    async def test_quoting_reply_can_be_a_command(self, open_client: OpenClient, world: World) -> None:
        bot = Bot()
        bot.on(QuoteMessage, command="cook")(handler)
        bot.on(Message, command="bake")(handler)
        assert [[each.accepts(kind) for kind in (TextMessage, QuoteMessage)] for each in bot.handlers()] == [
            [False, True],
            [True, True],
        ]


async def handler(ctx: Context, event: Event) -> None:
    raise AssertionError


class TestUsage:
    async def test_wrong_words_are_answered_in_an_allowed_chat_only(
        self, open_client: OpenClient, world: World
    ) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(world, received, "/remind soon")
            await send_texts(world, received, "/提醒 soon", sender="me", to="filehelper")
            assert said(world, "ahua", "xiaoming") == []
            assert said(world, "me", "filehelper")[-1] == (
                "minutes: 'soon' is not a whole number.\n/remind <minutes> [text…]"
            )
        assert received == []

    async def test_in_an_allowed_chatroom_only_a_mention_is_answered(
        self, open_client: OpenClient, world: World
    ) -> None:
        received: list[object] = []
        async with (
            open_client() as client,
            running(make_bot(client, received, commands=Commands(allow=("周末爬山", "阿华"))), client),
        ):
            await send_texts(world, received, "/remind", "/help", to="hiking")
            assert said(world, "ahua", "hiking") == []
            assert received == ["/help"]
            await send_texts(world, received, "@小明 /remind", to="hiking")
            assert said(world, "ahua", "hiking") == ["minutes is missing.\n/remind <minutes> [text…]"]
            await send_texts(world, received, "/cook")
            await send_texts(world, received, "/remind x", sender="me", to="filehelper")
            assert said(world, "me", "filehelper") == ["/remind x", "end"]

    async def test_nothing_is_answered_where_no_chat_is_allowed(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received, commands=Commands(allow=())), client):
            await send_texts(world, received, "/remind x", "/help", sender="me", to="filehelper")
            assert said(world, "me", "filehelper") == ["/remind x", "/help", "end"]
        assert received == ["/help"]


class TestHelp:
    @pytest.mark.parametrize("question", ["/help", "/help unknown"])
    async def test_help_lists_the_commands_with_the_first_line_of_their_docstrings(
        self, open_client: OpenClient, world: World, question: str
    ) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(world, received, question, sender="me", to="filehelper")
            assert said(world, "me", "filehelper")[-1].splitlines() == [
                "/remind <minutes> [text…]: Remind me later.",
                "/cook [dishes…]",
                "/help [command…]: List the commands, or describe one.",
            ]

    @pytest.mark.parametrize("question", ["/help remind", "／help ／提醒"])
    async def test_help_with_a_name_shows_aliases_and_the_complete_docstring(
        self, open_client: OpenClient, world: World, question: str
    ) -> None:
        received: list[object] = []
        async with open_client() as client, running(make_bot(client, received), client):
            await send_texts(world, received, question, sender="me", to="filehelper")
            assert said(world, "me", "filehelper")[-1].splitlines() == [
                "/remind <minutes> [text…]", "(/提醒)", "Remind me later.", "", "The time is in minutes.",
            ]  # fmt: skip

    async def test_usage_and_help_are_answered_in_chinese(self, open_client: OpenClient, world: World) -> None:
        received: list[object] = []
        commands = Commands(language="zh", help=("帮助", "help"))
        async with open_client() as client, running(make_bot(client, received, commands=commands), client):
            await send_texts(world, received, "/提醒 很快", sender="me", to="filehelper")
            assert said(world, "me", "filehelper")[-1] == "minutes：“很快”不是整数。\n/remind <minutes> [text…]"
            await send_texts(world, received, "/help", sender="me", to="filehelper")
            assert (
                said(world, "me", "filehelper")[-1].splitlines()[-1] == "/帮助 [command…]: 列出命令，或说明其中一个。"
            )

    async def test_a_help_command_of_the_program_replaces_the_built_in_one(
        self, open_client: OpenClient, world: World
    ) -> None:
        received: list[object] = []
        async with open_client() as client:
            bot = Bot(client=client, commands=Commands(help=("help", "帮助")))

            @bot.on(command="help")
            async def own(ctx: Context, message: TextMessage) -> None:
                received.append("own")

            @bot.on(TextMessage)
            async def other(ctx: Context, message: TextMessage) -> None:
                received.append(message.text)

            async with running(bot, client):
                await send_texts(world, received, "/help", "/帮助", sender="me", to="filehelper")
                assert received == ["own"]
                assert said(world, "me", "filehelper")[-1] == (
                    "/help\n/帮助 [command…]: List the commands, or describe one."
                )


class TestMistakes:
    def test_command_that_an_earlier_handler_takes_is_an_error_at_the_start(self) -> None:
        bot, router = Bot(), Router()
        bot.include(router)
        bot.on(command=("a", "b"), chat="阿华")(handler)
        router.on(command="B", chat="阿华", group=False)(other_handler)
        with pytest.raises(
            ValueError, match=r"other_handler at .* is never called: handler at .* has the command 'b' as"
        ):
            check(bot)

    def test_one_command_may_have_several_handlers_with_different_filters(self) -> None:
        bot, router = Bot(), Router()
        bot.include(router)
        bot.include(router)
        bot.on(command="a", group=True)(handler)
        bot.on(command="a", group=False)(handler)
        bot.on(command="a", own=True)(handler)
        bot.on(QuoteMessage, command="a")(handler)
        router.on(command="b")(handler)
        check(bot)

    @pytest.mark.parametrize("command", ["", (), ("a", ""), "two words", " a", ("a", "b c")], ids=repr)
    def test_name_without_letters_or_with_blanks_is_refused(self, command: Any) -> None:
        with pytest.raises(ValueError, match=r"command= cannot be .*; a name is one word"):
            Bot().on(command=command)

    @pytest.mark.parametrize("command", [5, ("a", 5), None, ["a"]], ids=repr)
    def test_name_that_is_not_text_is_refused(self, command: Any) -> None:
        with pytest.raises(TypeError, match=r"command= cannot be"):
            Bot().on(command=command)

    @pytest.mark.parametrize("kind", [ImageMessage, MemberJoined])
    def test_event_class_without_a_persons_text_is_refused(self, kind: Any) -> None:
        with pytest.raises(ValueError, match=r"command= can never match"):
            Bot().on(kind, command="a")

    def test_handler_that_takes_no_event_is_refused(self) -> None:
        async def wrong(ctx: Context) -> None:
            raise AssertionError

        async def vague(*arguments: object) -> None:
            raise AssertionError

        for function in (wrong, vague):
            with pytest.raises(TypeError, match=r"with a context and an event; .* does not take 2 arguments"):
                Bot().on(command="a")(function)  # type: ignore[arg-type]  # that is the mistake

    @pytest.mark.parametrize(
        ("choices", "error"),
        [
            ({"prefixes": ()}, r"prefixes= cannot be \(\)"),
            ({"prefixes": "/ "}, "prefixes= cannot be '/ '"),
            ({"help": "help me"}, "a name is one word"),
            ({"language": "fr"}, "language= cannot be 'fr'"),
            ({"allow": ""}, "allow= cannot be ''"),
        ],
    )
    def test_invalid_options_of_commands_are_refused(self, choices: Any, error: str) -> None:
        with pytest.raises(ValueError, match=error):
            Commands(**choices)


async def other_handler(ctx: Context, event: Event) -> None:
    raise AssertionError
