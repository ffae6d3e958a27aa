"""
A bot in its own process: `python program.py SERVER FOLDER`.

It records each call of its handler before and after its work, one JSON object per line, so that the record is right
after a kill between any two instructions. A text selects what the handler does: `hang` never ends, `slow` takes a
while, `die` ends the process, and `answer …` is answered. SIGTERM cancels the delivery, as the documentation shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webwx import AsyncClient, LoginFile, SqliteJournal, TextMessage, deliver
from webwx.bot import chat_queues

if TYPE_CHECKING:
    from webwx import Context, Event, SyncContext

chat_queues.DRAIN_TIMEOUT = float(os.environ.get("DRAIN_TIMEOUT", chat_queues.DRAIN_TIMEOUT))


class EventLogFile:
    """A log file; each line is one system call, so that lines of two processes do not mix."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, ctx: Context | SyncContext, event: TextMessage) -> None:
        """Record that a call has begun or ended."""
        fields = {
            "what": what, "pid": os.getpid(), "number": event.number, "text": event.text, "chat": event.chat,
            "attempt": ctx.attempt, "redelivered": ctx.redelivered,
        }  # fmt: skip
        os.write(self._file, json.dumps(fields, ensure_ascii=False).encode() + b"\n")


async def main(server: str, folder: Path) -> None:
    """Log in and deliver until SIGTERM."""
    diary = EventLogFile(folder / "diary.jsonl")

    async def handler(ctx: Context, event: Event) -> None:
        if not isinstance(event, TextMessage) or event.is_self:
            return
        diary.note("called", ctx, event)
        match event.text.split(" ")[0]:
            case "hang":
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(0.05)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "answer":
                await ctx.reply(f"re: {event.text}")
        diary.note("done", ctx, event)

    journal = SqliteJournal(folder / "me.journal")
    async with AsyncClient(server=server, store=LoginFile(folder / "me.json"), journal=journal) as client:
        await client.login(show_qr=lambda _: None)
        task = asyncio.create_task(deliver(client, handler))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        print("ready", flush=True)
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
