"""C13: the echo bot says everything back, but nothing of its own, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bot.conftest import until
from tests.examples.conftest import at_work, load, texts, until_told

from webwx.bot.breaker import LIMIT
from webwx.sandbox.switches import Switches

if TYPE_CHECKING:
    from tests.examples.conftest import OpenClient, Platform, Start

    from webwx.sandbox.world import World


async def test_c13_two_of_them_fall_silent_and_other_chats_go_on(open_client: OpenClient, world: World) -> None:
    example = load("echo")
    async with (
        open_client("me") as mine,
        open_client("ahua") as theirs,
        at_work(example, mine),
        at_work(example, theirs),
    ):
        world.say("me", "ahua", "hello")
        both = [("me", "阿华"), ("ahua", "小明")]
        await until(lambda: any(_told(world, who, name) for who, name in both))
        said = len(texts(world, "me", "ahua"))
        assert 2 * LIMIT <= said <= 2 * LIMIT + 1

        world.say("lilei", "me", "and I?")
        await until(lambda: texts(world, "me", "lilei") == ["and I?", "and I?"])
        assert len(texts(world, "me", "ahua")) == said
        assert [_told(world, who, name) for who, name in both].count(1) == 1


def _told(world: World, who: str, other: str) -> int:
    """Count how often a bot has told its owner that somebody else is one."""
    return sum(text.startswith(f"{other} seems to be a bot") for text in texts(world, who, "filehelper"))


async def test_c13_what_it_says_itself_is_never_answered_and_what_the_phone_says_is(
    open_client: OpenClient, world: World
) -> None:
    world.switches = Switches(hold_seconds=0.01, echo="on")  # a session's own sends come back to it
    async with open_client() as client, at_work(load("echo"), client):
        world.say("ahua", "me", "to you")
        world.say("me", "filehelper", "to myself")
        world.say("me", "lilei", "from my phone to somebody")
        await until(lambda: len(texts(world, "me", "ahua")) == len(texts(world, "me", "filehelper")) == 2)
        world.say("ahua", "me", "last")
        await until(lambda: len(texts(world, "me", "ahua")) == 4)

        assert texts(world, "me", "ahua") == ["to you", "to you", "last", "last"]
        assert texts(world, "me", "filehelper") == ["to myself", "to myself"]
        assert texts(world, "me", "lilei") == ["from my phone to somebody"]


async def test_a_chatroom_is_left_alone(open_client: OpenClient, world: World) -> None:
    async with open_client() as client, at_work(load("echo"), client):
        world.say("ahua", "周末爬山", "anybody there?")
        world.say("ahua", "me", "you?")
        await until(lambda: len(texts(world, "me", "ahua")) == 2)
        assert texts(world, "ahua", world.chat_id(world.person("ahua"), "周末爬山")) == ["anybody there?"]


def test_it_runs_by_webwx_run_and_ends_well(platform: Platform, start: Start) -> None:
    with start("echo") as process:
        until_told(lambda: "echo runs as 小明" in process.said)
        platform.do("say", **{"from": "ahua", "to": "me", "text": "你好"})
        until_told(lambda: len(platform.chat("me", "ahua")) == 2)
        assert process.end() == 0
    assert [message["text"] for message in platform.chat("me", "ahua")] == ["你好", "你好"]
