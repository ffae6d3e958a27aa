"""
The same as `program.py`, by a `Bot` and its `run`: `python bot_program.py SERVER FOLDER`.

A text selects what the handler does: `hang` never ends, `slow` takes a while, `block` blocks the loop for ever, `die`
ends the process, and `answer …` is answered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bot.program import EventLogFile

from webwx import Bot, LoginFile, SqliteJournal, TextMessage, run

if TYPE_CHECKING:
    from webwx import Context, SyncContext

SERVER, FOLDER = sys.argv[1], Path(sys.argv[2])

diary = EventLogFile(FOLDER / "diary.jsonl")
bot = Bot(
    server=SERVER, store=LoginFile(FOLDER / "me.json"), journal=SqliteJournal(FOLDER / "me.journal"),
    show_qr=lambda _: None,
)  # fmt: skip


@bot.on(TextMessage, regex="^hang")
async def hang(ctx: Context, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    await asyncio.Event().wait()


@bot.on(TextMessage, regex="^block")
async def block(ctx: Context, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    while True:
        pass


@bot.on(TextMessage, regex="^die")
def die(ctx: SyncContext, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    os.kill(os.getpid(), signal.SIGKILL)


@bot.on(TextMessage, regex="^slow")
async def slow(ctx: Context, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    await asyncio.sleep(0.05)
    diary.note("done", ctx, message)


@bot.on(TextMessage, regex="^answer")
async def answer(ctx: Context, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    await ctx.reply(f"re: {message.text}")
    diary.note("done", ctx, message)


@bot.on(TextMessage)
async def other(ctx: Context, message: TextMessage) -> None:
    diary.note("called", ctx, message)
    diary.note("done", ctx, message)


if __name__ == "__main__":
    before = [signal.getsignal(each) for each in signal.valid_signals()]
    run(bot, on_ready=lambda *_: print("ready", flush=True))
    assert before == [signal.getsignal(each) for each in signal.valid_signals()]
    print("ended well", flush=True)
