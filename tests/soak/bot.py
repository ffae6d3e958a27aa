"""
The bot of the harness, which `tests.soak.processes` runs in a process of its own.

It answers questions, and its handler writes down each call before and after its work, so that a kill between any two
instructions leaves the truth behind. SIGTERM ends it well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Literal

from tests.soak.checker import CALLS, JOURNAL, Call, Notebook

from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.errors import SendOutcomeUnknown
from webwx.model.events import ContinuityLost
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.model.messages import Event

LOGIN = "me.json"
"""The saved login's file in the folder."""

ANSWER = "Answer to "
"""What an answer begins with; the id of the question follows."""

PATIENT = 1_000
"""Attempts at an event: the kills come from outside, and are no handler's fault."""


class HandlerLog:
    """What the handler writes down."""

    def __init__(self, path: Path) -> None:
        self._notebook = Notebook(path)

    def note(
        self, what: Literal["called", "done", "gap"], ctx: Context, message_id: str, answer: str = "", seen: int = -1
    ) -> None:
        """Write down what is about to be done, or has been."""
        self._notebook.note(
            Call(
                what=what, pid=os.getpid(), number=ctx.event.number, message_id=message_id, attempt=ctx.attempt,
                redelivered=ctx.redelivered, answer=answer, seen=seen,
            )
        )  # fmt: skip

    async def handle(self, ctx: Context, event: Event) -> None:
        """Write down a text, and answer one that is a question."""
        match event:
            case TextMessage(is_self=False):
                self.note("called", ctx, event.message_id)
                answer = await self.answer(ctx, event.message_id) if event.text.endswith("?") else ""
                self.note("done", ctx, event.message_id, answer)
            case ContinuityLost():
                self.note("gap", ctx, "")

    async def answer(self, ctx: Context, question: str) -> str:
        """Answer the message with an id, and return the id of the answer."""
        try:
            return (await ctx.reply(f"{ANSWER}{question}")).message_id
        except SendOutcomeUnknown:  # it may have been sent, so it is not sent again
            return "unknown"


async def run(server: str, folder: Path, *, make_journal: Callable[[Path], SqliteJournal] = SqliteJournal) -> None:
    """Go on with the login of a folder, and deliver until SIGTERM."""
    diary = HandlerLog(folder / CALLS)
    journal = make_journal(folder / JOURNAL)
    async with AsyncClient(server=server, store=LoginFile(folder / LOGIN), journal=journal) as client:
        await client.resume()
        work = asyncio.create_task(deliver(client, diary.handle, attempts=PATIENT))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
    await journal.close()
