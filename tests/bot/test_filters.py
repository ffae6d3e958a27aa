"""The keywords of `on` with messages of a sandbox: which handler gets which event, and which values are refused."""

from __future__ import annotations

import logging
import re
from functools import partial
from operator import contains
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running, until

from webwx.bot.bot import Bot
from webwx.bot.router import Router
from webwx.errors import UnknownContact
from webwx.model.events import ContactChanged, ContinuityLost
from webwx.model.messages import ImageMessage, Message, MessageRecalled, PhoneActivity, TextMessage

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World


async def taken(
    client: AsyncClient, world: World, said: list[tuple[str, str, str]], *event_types: Any, **keywords: Any
) -> list[str]:
    """Send texts between people, and return the texts that a handler with these keywords gets."""
    bot, texts, seen = Bot(client=client), list[str](), list[str]()

    async def handler(ctx: Context, message: TextMessage) -> None:
        texts.append(message.text)
        seen.append(message.whole_text)

    bot.on(*(event_types or (TextMessage,)), **keywords)(handler)

    @bot.on(TextMessage, own=True)
    async def others(ctx: Context, message: TextMessage) -> None:
        seen.append(message.whole_text)

    async with running(bot, client):
        for sender, to, text in said:
            world.say(sender, to, text)
            await until(partial(contains, seen, text))
    return texts


async def test_a_text_is_compared_exactly(open_client: OpenClient, world: World) -> None:
    said = [("ahua", "me", text) for text in ("ping", "Ping", "ping ", "pinging", "ping\n", "<b>&amp;")]
    async with open_client() as client:
        assert await taken(client, world, said, text="ping") == ["ping"]
        assert await taken(client, world, said, text="<b>&amp;") == ["<b>&amp;"]


@pytest.mark.parametrize("pattern", [r"^buy (\w+)", re.compile(r"^BUY (\w+)", re.IGNORECASE)])
async def test_a_pattern_is_found_anywhere_and_the_context_has_the_match(
    open_client: OpenClient, world: World, pattern: str | re.Pattern[str]
) -> None:
    found = list[str | None]()
    async with open_client() as client:
        bot = Bot(client=client)

        @bot.on(TextMessage, regex=pattern)
        async def buy(ctx: Context, message: TextMessage) -> None:
            assert ctx.match is not None
            found.append(ctx.match[1])

        @bot.on(TextMessage)
        async def other(ctx: Context, message: TextMessage) -> None:
            assert ctx.match is None
            found.append(None)

        async with running(bot, client):
            world.say("ahua", "me", "buy milk, please")
            world.say("ahua", "me", "do not buy milk")
            await until(lambda: len(found) == 2)
    assert found == ["milk", None]


class TestWhom:
    SAID = (
        ("ahua", "me", "a"), ("lilei", "me", "b"), ("ahua", "hiking", "c"), ("lilei", "hiking", "d"),
        ("me", "filehelper", "e"),
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("keywords", "expected"),
        [
            ({"chat": "阿华"}, ["a"]),
            ({"chat": "Boss"}, ["b"]),
            ({"chat": "周末爬山"}, ["c", "d"]),
            ({"chat": "filehelper"}, ["e"]),
            ({"chat": ("阿华", "filehelper")}, ["a", "e"]),
            ({"sender": "Boss"}, ["b", "d"]),
            ({"sender": ("阿华", "Boss"), "chat": "周末爬山"}, ["c", "d"]),
            ({"sender": "阿华", "group": True}, ["c"]),
            ({"group": True}, ["c", "d"]),
            ({"group": False}, ["a", "b", "e"]),
            ({"chat": "unknown"}, []),
        ],
        ids=str,
    )
    async def test_chat_and_sender_filter_by_name(
        self, open_client: OpenClient, world: World, keywords: dict[str, Any], expected: list[str]
    ) -> None:
        async with open_client() as client:
            assert await taken(client, world, list(self.SAID), **keywords) == expected

    async def test_a_contact_an_id_and_a_number_name_the_same_person(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            ahua = client.contacts.find(nickname="阿华")
            number = (await client.who(ahua)).number
            for who in (ahua, ahua.id, number, await client.who(number)):
                assert await taken(client, world, list(self.SAID), sender=who) == ["a", "c"]

    async def test_a_contact_of_an_earlier_login_names_the_same_person(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            ahua = client.contacts.find(nickname="阿华")
            number = (await client.who(ahua)).number
            await client.logout()
        async with open_client() as client:
            assert client.contacts.get(ahua.id) is None
            for who in (ahua, number):
                assert await taken(client, world, list(self.SAID), sender=who) == ["a", "c"]

    async def test_ambiguous_name_matches_nothing_and_is_logged_once(
        self, open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A person with a friend's nickname must not match the friend."""
        world.add_person("阿华", "ahua2")
        world.befriend("me", "ahua2")
        caplog.set_level(logging.WARNING, "webwx.bot")
        async with open_client() as client:
            with pytest.raises(UnknownContact):
                client.contacts.resolve("阿华")
            said = [("ahua", "me", "1"), ("ahua2", "me", "2"), ("ahua", "me", "3")]
            assert await taken(client, world, said, sender="阿华") == []
        assert len([each for each in caplog.messages if "sender=" in each]) == 1
        assert "阿华" not in caplog.text


class TestMentions:
    @pytest.mark.parametrize(
        ("card", "text", "is_meant"),
        [
            ("", "@小明\u2005在吗", True),
            ("", "@小明 在吗", True),
            ("", "在吗 @小明", True),
            ("", "你好@小明\n在吗", True),
            ("me", "@me\u2005hello", True),
            ("me", "@media\u2005hello", False),
            ("我 😀", "@我 😀\u2005在吗", True),
            ("爬山队长", "@爬山队长\u2005在吗", True),
            ("爬山队长", "@小明\u2005在吗", True),
            ("", "@爬山队长\u2005在吗", False),
            ("", "小明在吗", False),
            ("", "@小明明\u2005在吗", False),
        ],
    )
    async def test_a_handler_for_mentions_gets_those_of_this_account(
        self, open_client: OpenClient, world: World, card: str, text: str, is_meant: bool
    ) -> None:
        room = world.chatroom(world.person("me"), "hiking")
        room.names["xiaoming"] = card
        async with open_client() as client:
            said = [("ahua", "hiking", text)]
            assert await taken(client, world, said, mentions_me=True) == ([text] if is_meant else [])
            assert await taken(client, world, said, mentions_me=False) == ([] if is_meant else [text])

    @pytest.mark.parametrize(
        ("quoted", "reply", "is_meant"), [("@小明 在吗", "在", False), ("在吗", "@小明 在吗", True)]
    )
    async def test_a_mention_in_a_quoted_text_does_not_count(
        self, open_client: OpenClient, world: World, quoted: str, reply: str, is_meant: bool
    ) -> None:
        said = [("ahua", "hiking", f"「李雷：{quoted}」\n- - - - - -\n{reply}")]
        async with open_client() as client:
            assert await taken(client, world, said, mentions_me=True) == ([reply] if is_meant else [])
            assert await taken(client, world, said, mentions_me=False) == ([] if is_meant else [reply])

    async def test_a_mention_by_a_changed_display_name_matches(self, open_client: OpenClient, world: World) -> None:
        room = world.chatroom(world.person("me"), "hiking")
        async with open_client() as client:
            room.names["xiaoming"] = "队长"
            await client.get_contacts([client.contacts.find(nickname="周末爬山").id])
            assert await taken(client, world, [("ahua", "hiking", "@队长\u2005?")], mentions_me=True) == [
                "@队长\u2005?"
            ]

    async def test_names_of_other_members_are_not_a_mention(self, open_client: OpenClient, world: World) -> None:
        world.chatroom(world.person("me"), "hiking").names["lilei"] = "队长"
        async with open_client() as client:
            assert await taken(client, world, [("ahua", "hiking", "@队长\u2005?")], mentions_me=True) == []


async def test_backlog_can_be_excluded(open_client: OpenClient, world: World) -> None:
    async with open_client() as client:
        world.say("ahua", "me", "old")
        world.wind(10)
        bot, fresh, all_ = Bot(client=client), list[str](), list[tuple[str, bool]]()

        @bot.on(TextMessage, backlog=False)
        async def new(ctx: Context, message: TextMessage) -> None:
            fresh.append(message.text)

        @bot.on(TextMessage)
        async def any_(ctx: Context, message: TextMessage) -> None:
            all_.append((message.text, message.backlog))

        async with running(bot, client):
            await until(lambda: all_ == [("old", True)])
            world.say("ahua", "me", "new")
            await until(lambda: fresh == ["new"])
        assert all_ == [("old", True)]


class TestMistakes:
    @pytest.mark.parametrize(
        ("error", "says", "event_types", "keywords"),
        [
            (ValueError, "ImageMessage has no text", (ImageMessage,), {"text": "ping"}),
            (ValueError, "MessageRecalled has no sender", (MessageRecalled,), {"sender": "Boss"}),
            (ValueError, "ContinuityLost has no chat", (ContinuityLost,), {"group": True}),
            (ValueError, "ContactChanged has no text", (TextMessage, ContactChanged), {"mentions_me": True}),
            (ValueError, "regex= cannot be '\\('", (), {"regex": "("}),
            (ValueError, "chat= cannot be ''", (), {"chat": ""}),
            (ValueError, "sender= cannot be \\(\\)", (), {"sender": ()}),
            (TypeError, "text= cannot be 5; give a text", (), {"text": 5}),
            (TypeError, "regex= cannot be re.compile\\(b'x'\\)", (), {"regex": re.compile(b"x")}),
            (TypeError, "chat= cannot be \\['Boss'\\]", (), {"chat": ["Boss"]}),
            (TypeError, "sender= cannot be True", (), {"sender": True}),
            (TypeError, "group= cannot be 'yes'", (), {"group": "yes"}),
            (TypeError, "mentions_me= cannot be None", (), {"mentions_me": None}),
            (TypeError, "own= cannot be 1; give True or False", (), {"own": 1}),
            (TypeError, "backlog= cannot be None", (), {"backlog": None}),
            (TypeError, r"on\(\) has no keyword txt=; it has text=, regex=, chat=, .* command=", (), {"txt": "ping"}),
            (TypeError, "int is not an event class", (int,), {}),
            (
                TypeError,
                r"on\(\) takes event classes, filters and keywords such as text=; got 'ping'\.$",
                ("ping",),
                {},
            ),
            (TypeError, r"got 'text_message'\. Did you mean TextMessage\?$", ("text_message",), {}),
            (TypeError, r"got 'message\.text'\. Did you mean TextMessage\?$", ("message.text",), {}),
            (TypeError, r"got 'ImageMesage'\. Did you mean ImageMessage\?$", ("ImageMesage",), {}),
            (TypeError, r"on\(\) takes event classes, .* got \[<class", ([TextMessage, ImageMessage],), {}),
            (TypeError, "does not take 2 arguments", (lambda: True,), {}),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_invalid_argument_of_on_raises_at_its_line(
        self, error: type[Exception], says: str, event_types: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        with pytest.raises(error, match=says):
            Router().on(*event_types, **keywords)

    @pytest.mark.parametrize("event_types", [(), (Message,), (TextMessage, ImageMessage)])
    def test_event_class_is_accepted_if_one_of_its_subclasses_has_the_field(self, event_types: tuple[Any, ...]) -> None:
        async def handler(ctx: Context, event: Message) -> None:
            raise AssertionError

        router = Router()
        if ImageMessage in event_types:
            router.on(*event_types, chat="Boss")(handler)
        else:
            router.on(*event_types, text="ping")(handler)
        (registered,) = router.handlers()
        assert registered.accepts(TextMessage)
        assert registered.accepts(ImageMessage) == (ImageMessage in event_types)
        assert not registered.accepts(PhoneActivity)


def test_each_keyword_is_documented() -> None:
    from pathlib import Path

    from webwx.bot.filters import FilterKeywords

    page = (Path(__file__).parents[2] / "docs" / "topics" / "bots.md").read_text("utf-8")
    assert [each for each in FilterKeywords.__annotations__ if f"`{each}=" not in page] == []
