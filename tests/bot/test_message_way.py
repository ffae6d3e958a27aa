"""The functions through which a message and its reply pass, as the page about the architecture lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.architecture import MESSAGE
from tests.bot.conftest import running, until
from tests.call_order import CallOrder

from webwx.bot.bot import Bot
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.sandbox.world import World


async def test_a_message_and_its_reply_pass_through_the_functions_of_the_page(
    open_client: OpenClient, world: World
) -> None:
    async with open_client() as client:
        bot = Bot(client=client, name="one")

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            await ctx.reply("pong")

        async with running(bot, client):
            with CallOrder([name for name, _ in MESSAGE]) as order:
                world.say("ahua", "me", "ping")
                await until(lambda: not order.missing())
        assert world.inbox("ahua")["xiaoming"].messages[-1].text == "pong"
