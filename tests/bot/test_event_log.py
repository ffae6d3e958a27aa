"""Debug mode: one line for each event, with the reason why other handlers did not match."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from tests.bot.conftest import running, until

from webwx.bot.bot import Bot
from webwx.model.messages import Event, MessageRecalled, TextMessage

if TYPE_CHECKING:
    import pytest
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.sandbox.world import World


def is_long(message: TextMessage) -> bool:
    return len(message.text) > 20


def a_bot_with_five_handlers(bot: Bot) -> None:
    @bot.on(TextMessage, text="hello")
    async def hello(ctx: Context, event: Event) -> None: ...

    @bot.on(TextMessage, is_long)
    async def long(ctx: Context, event: Event) -> None: ...

    @bot.on(TextMessage, regex="buy (.*)")
    async def buy(ctx: Context, event: Event) -> None:
        raise ValueError("sold out")

    @bot.on(MessageRecalled)
    async def recalled(ctx: Context, event: Event) -> None: ...

    @bot.on(TextMessage, sender="李雷")
    async def from_lilei(ctx: Context, event: Event) -> None: ...


def without_prefix(record: str) -> list[str]:
    """Return the lines of a record without its numbers, and with the plain names of handlers."""
    return [re.sub(r"\d+", "N", line).replace("a_bot_with_five_handlers.<locals>.", "") for line in record.splitlines()]


async def logged(open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture, *, debug: bool) -> list[str]:
    caplog.set_level(logging.INFO, "webwx")
    async with open_client() as client:
        bot = Bot(client=client, attempts=1, debug=debug)
        a_bot_with_five_handlers(bot)
        async with running(bot, client):
            world.say("ahua", "me", "buy tea")
            world.say("ahua", "me", "what?")
            await until(lambda: bot.counts.dead == 1 and bot.counts.delivered >= 1)
    return [record.getMessage() for record in caplog.records if record.name == "webwx.bot"]


async def test_an_event_is_one_line_with_its_handler_and_the_reasons_of_the_others(
    open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    records = await logged(open_client, world, caplog, debug=True)
    first, second = (without_prefix(each) for each in records if each.startswith("event ") and "message.text" in each)
    assert first == [
        "event N message.text from 阿华 -> buy failed, N ms",
        "  hello: text= does not match",
        "  long: is_long returned a false value",
        "  recalled: takes MessageRecalled only",
        "  from_lilei: not tried, an earlier handler matched",
    ]
    assert second == [
        "event N message.text from 阿华 -> no handler, N ms",
        "  hello: text= does not match",
        "  long: is_long returned a false value",
        "  buy: regex= does not match",
        "  recalled: takes MessageRecalled only",
        "  from_lilei: sender= does not match",
    ]


async def test_exception_messages_are_logged_in_debug_mode(
    open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (failure,) = [each for each in await logged(open_client, world, caplog, debug=True) if "dead letter" in each]
    assert failure.splitlines()[-1] == "ValueError: sold out"


async def test_neither_events_nor_names_are_logged_by_default(
    open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    records = await logged(open_client, world, caplog, debug=False)
    assert not [each for each in records if each.startswith("event ")]
    assert "阿华" not in "".join(records)
    assert "ValueError: sold out" not in "".join(records)
