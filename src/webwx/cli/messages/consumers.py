"""The commands that read the journal as consumers. Each has its own cursor, so none takes events from another."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from webwx.errors import AlreadyRunning
from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal

LISTEN, RECEIVE = "listen", "receive"
"""Consumer names, equal to the commands' names."""


async def begin(account: AccountJournal) -> None:
    """Create all consumers that do not exist yet, so that none misses events that arrive before its first run."""
    for name in (LISTEN, RECEIVE):
        with suppress(AlreadyRunning, NotOwner):  # it has begun and is at work, or a worker has taken the account
            consumer = await account.consumer(name)
            await consumer.close()
