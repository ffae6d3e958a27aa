"""Tests of a bot, and the types that a checker must infer in them. Never run."""

from __future__ import annotations

import re
from datetime import datetime
from typing import assert_type

import pytest

from webwx import Bot
from webwx.sandbox.world import World
from webwx.testing import (
    Chatroom,
    Clock,
    Faults,
    MessageNotReceived,
    PhoneMessage,
    PhoneUser,
    Running,
    Sandbox,
    TranscriptFiles,
    UnexpectedMessage,
)

bot = Bot()


@pytest.mark.webwx_world("shop.toml")
def test_of_a_user(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, chatroom: Chatroom, clock: Clock, faults: Faults
) -> None:
    with sandbox.running(bot, account=friend) as running:
        assert_type(running, Running)
        assert_type(friend.say("ping", to=chatroom), PhoneMessage)
        assert_type(friend.hears(re.compile("^p"), kind="text", chat="filehelper").content, bytes)
        assert_type(friend.hears_nothing(chat=account), bool)
        clock.wind(minutes=2)
        clock.wind_to("08:30", timezone="Asia/Shanghai")
        assert_type(clock.now, datetime)
        assert_type(faults.on("ret", endpoint="webwxsendmsg", ret=1205, times=1).hits, int)
        assert_type(running.calls, list[str])
        assert_type(running.state_of(friend, chat=chatroom).step, str)
    assert_type(sandbox.do(lambda world: world.now), float)
    assert_type(sandbox.add_person("王五").chat(chatroom), list[PhoneMessage])
    assert_type([member.nickname for member in chatroom.members], list[str])


def test_with_a_transcript(friend: PhoneUser, chatroom: Chatroom, assert_transcript: TranscriptFiles) -> None:
    assert_transcript("chat.txt")
    assert_transcript("room.txt", phone=friend, chat=chatroom)
    assert_type(friend.transcript(chatroom), str)


@pytest.fixture
def webwx_world() -> World:
    return World()


async def test_of_another(sandbox: Sandbox, friend: PhoneUser) -> None:
    async with sandbox.running(bot):  # type: ignore[attr-defined]  # pyright: ignore  # it is no asynchronous one
        pass
    with pytest.raises((MessageNotReceived, UnexpectedMessage)):
        friend.hears("pong")
