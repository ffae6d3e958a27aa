"""
A bot with one-shot timers in its own process: `python timer_program.py SERVER FOLDER`.

Each text makes a timer, which answers it a moment later.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webwx import Bot, LoginFile, SqliteJournal, TextMessage, run

if TYPE_CHECKING:
    from webwx import Context

SERVER, FOLDER = sys.argv[1], Path(sys.argv[2])

bot = Bot(
    server=SERVER, store=LoginFile(FOLDER / "me.json"), journal=SqliteJournal(FOLDER / "me.journal"),
    show_qr=lambda _: None, replies_per_minute=0, attempts=20,
)  # fmt: skip


@bot.timer()
async def answer(ctx: Context, text: str) -> None:
    await ctx.reply(f"late {text}")


@bot.on(TextMessage)
async def note(ctx: Context, message: TextMessage) -> None:
    await ctx.call_later(answer, seconds=0.05, data=message.text, name=message.text)


if __name__ == "__main__":
    run(bot, on_ready=lambda *_: print("ready", flush=True))
