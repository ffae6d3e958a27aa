"""Replies that could not be sent do not stay queued for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import running, until
from tests.carriers import FaultyTransport

from webwx.bot import unsent_replies
from webwx.bot.bot import Bot
from webwx.errors import ConnectFailed
from webwx.model.messages import TextMessage
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World


async def test_reply_that_its_handler_does_not_try_again_becomes_failed(
    open_client: OpenClient, sandbox: SandboxCore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsent_replies, "STALE", 0.01)
    transport = FaultyTransport(Loopback(sandbox), webwxsendmsg=[ConnectFailed("No connection; nothing was sent.")])
    async with open_client(transport=transport) as client:
        bot = Bot(client=client)

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            with pytest.raises(ConnectFailed):
                await ctx.reply("late")

        other = await client.queue_text("张三", "of another program", key="mine")
        async with running(bot, client):
            world.say("ahua", "me", "1")
            await until(lambda: bot.counts.delivered >= 1)
            while (sends := await client.list_sends("failed")) == []:
                world.wind(1)
        assert [send.text for send in sends] == ["late"]
        assert [send.number for send in await client.list_sends("queued")] == [other.number]


async def test_reply_that_an_earlier_process_has_left_becomes_failed(
    open_client: OpenClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client() as client:
        left = [await client.queue_text("张三", "late", key=key) for key in ("bot/7/answer/1", "1234/bot/7/answer/2")]
        world.wind(unsent_replies.STALE + 1)
        bot = Bot(client=client)

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None: ...

        async with running(bot, client):
            while len(sends := await client.list_sends("failed")) < 2:
                await until(lambda: True)
    assert {send.number for send in sends} == {send.number for send in left}
