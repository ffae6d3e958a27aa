"""
The bot of the harness, which `tests.soak.processes` runs in its own process.

It answers questions, and its handler records each call before and after its work, so that the record is right after a
kill between any two instructions. SIGTERM ends it normally.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Literal

from tests.soak.checker import CALLS, JOURNAL, STORAGE, Call, Notebook

from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.model.events import ContinuityLost
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginFile
from webwx.storage.open import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.model.messages import Event
    from webwx.storage.base import Journal

LOGIN = "me.json"
"""The file of the saved login in the folder."""

ANSWER = "Answer to "
"""Beginning of an answer; the id of the question follows."""

PATIENT = 1_000
"""Attempts at an event: the kills are external, and not failures of a handler."""


class HandlerLog:
    """The record of the handler's calls."""

    def __init__(self, path: Path) -> None:
        self._notebook = Notebook(path)

    def note(
        self, what: Literal["called", "done", "gap"], ctx: Context, message_id: str, answer: str = "", seen: int = -1
    ) -> None:
        """Record that the work is about to begin, or is done."""
        self._notebook.note(
            Call(
                what=what, pid=os.getpid(), number=ctx.event.number, message_id=message_id, attempt=ctx.attempt,
                redelivered=ctx.redelivered, answer=answer, seen=seen,
            )
        )  # fmt: skip

    async def handle(self, ctx: Context, event: Event) -> None:
        """Record a text, and answer it if it is a question."""
        match event:
            case TextMessage(is_self=False):
                self.note("called", ctx, event.message_id)
                answer = await self.answer(ctx, event.message_id) if event.text.endswith("?") else ""
                self.note("done", ctx, event.message_id, answer)
            case ContinuityLost():
                self.note("gap", ctx, "")

    async def answer(self, ctx: Context, question: str) -> str:
        """Answer the message with an id, and return the id of the answer."""
        receipt = await ctx.reply(f"{ANSWER}{question}")
        return "unknown" if receipt.is_unknown else receipt.message_id


async def run(server: str, folder: Path, *, make_journal: Callable[[Path], Journal] = open_journal) -> None:
    """Continue with the login of a folder, and deliver events until SIGTERM."""
    diary = HandlerLog(folder / CALLS)
    database = folder / STORAGE
    journal = open_journal(database.read_text()) if database.exists() else make_journal(folder / JOURNAL)
    async with AsyncClient(server=server, store=LoginFile(folder / LOGIN), journal=journal) as client:
        await client.resume()
        work = asyncio.create_task(deliver(client, diary.handle, attempts=PATIENT))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
    await journal.close()
