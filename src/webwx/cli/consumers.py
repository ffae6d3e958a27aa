"""The commands that read as consumers: each has a place of its own in the journal, so none takes from another."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from webwx.errors import AlreadyRunning

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal

LISTEN, RECEIVE = "listen", "receive"
"""Named after their commands."""


async def begin(account: AccountJournal) -> None:
    """Let them begin here, unless they have begun already: whichever runs first, the other misses nothing."""
    for name in (LISTEN, RECEIVE):
        with suppress(AlreadyRunning):  # it has begun, and is at work
            consumer = await account.consumer(name)
            await consumer.close()
