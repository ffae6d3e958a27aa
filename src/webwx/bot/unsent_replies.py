"""
Replies that stay queued, because their handlers have caught the error or were given up.

A send that has not left stays `queued`, so that the next attempt of its handler makes it. Without another attempt it
would wait for ever, so after some minutes it becomes `failed`. A handler that is called again still makes it then.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from webwx.bot.journal import use_journal
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.storage.base import AccountJournal

STALE = 600.0
"""Seconds after its last change from which a queued reply is not expected to be made any more."""

_AT_ONCE = 10_000
"""Maximum number of queued sends that are read."""

_log = logging.getLogger("webwx.bot")


class UnsentReplies:
    """
    Settles the replies of one bot that stay queued.

    Args:
        bot: The bot's name, with which the keys of its sends begin.
        client: The account's client.
        part: The account's part of the journal.
    """

    def __init__(self, bot: str, client: AsyncClient, part: AccountJournal) -> None:
        self._bot = bot
        self._client = client
        self._outbox = part.outbox
        self._is_own = re.compile(rf"(?:\d+/)?{re.escape(bot)}/").match  # with a number for another account's bot
        self._news = asyncio.Event()
        self._news.set()  # an earlier process may have left some

    def __repr__(self) -> str:
        return f"UnsentReplies({self._bot!r})"

    def note(self) -> None:
        """Note that a send of a handler has failed, which may stay queued."""
        self._news.set()

    async def run(self) -> None:
        """Settle replies until this is cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if await use_journal(self._bot, self._settle):
                self._news.set()
            await asyncio.sleep(STALE)

    async def _settle(self) -> bool:
        """Settle the replies that have not changed for some time; return whether there are later ones."""
        queued = await self._outbox.find(SendQuery(states=("queued",), limit=_AT_ONCE))
        own = [row for row in queued if self._is_own(row.key)]
        now = self._client.clock()
        stale = [row for row in own if row.changed_at <= now - STALE]
        for row in stale:
            # A claimed send is not made by anything else, so no later state is replaced.
            if await self._outbox.sending(row.number, now, row.chat):
                await self._outbox.settle(row.number, "failed", time=now, begun_at=now)
        if stale:
            _log.warning(
                "%s: %d replies could not be sent, and their handlers do not try again; 'webwx outbox --state failed' "
                "lists them.",
                self._bot, len(stale),
            )  # fmt: skip
        return len(stale) < len(own)
