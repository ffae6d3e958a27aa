"""
A bot that counts the texts of each chat in the state of the chat, which `tests.soak.processes` runs.

It records the count that the handler saw before and after each call, so the checker knows the state in which each
message was handled.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import msgspec
from tests.soak.bot import LOGIN, PATIENT, HandlerLog
from tests.soak.checker import CALLS, JOURNAL

from webwx.bot.bot import Bot
from webwx.bot.steps import Step, Steps
from webwx.client.client import AsyncClient
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.bot.context import Context


class Parity(Steps):
    """Steps for an even and an odd number of texts in a chat."""

    even = Step()
    odd = Step()


class Counted(msgspec.Struct):
    """The values of a chat."""

    count: int = 0
    """Number of texts in the chat."""
    last: str = ""
    """Message id of the last text."""


def make_bot(client: AsyncClient, diary: HandlerLog) -> Bot:
    """Return the bot; a text goes to the handler of the step that the chat has reached."""
    bot = Bot(client=client, attempts=PATIENT, replies_per_minute=0)

    async def count(ctx: Context, message: TextMessage, following: Step) -> None:
        values = await ctx.state.get_values(Counted)
        diary.note("called", ctx, message.message_id, seen=values.count)
        await ctx.state.set_values(Counted(values.count + 1, message.message_id))
        await ctx.state.set_step(following, timeout=3_600)
        answer = await diary.answer(ctx, message.message_id) if message.text.endswith("?") else ""
        diary.note("done", ctx, message.message_id, answer, seen=values.count)

    @bot.on(TextMessage, state=Parity.odd)
    async def odd(ctx: Context, message: TextMessage) -> None:
        await count(ctx, message, Parity.even)

    @bot.on(TextMessage, state=(Parity.even, None))
    async def even(ctx: Context, message: TextMessage) -> None:
        await count(ctx, message, Parity.odd)

    return bot


async def run(server: str, folder: Path) -> None:
    """Continue with the login of a folder, and count until SIGTERM."""
    journal = SqliteJournal(folder / JOURNAL)
    async with AsyncClient(server=server, store=LoginFile(folder / LOGIN), journal=journal) as client:
        await client.resume()
        work = asyncio.create_task(make_bot(client, HandlerLog(folder / CALLS)).start())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
    await journal.close()
