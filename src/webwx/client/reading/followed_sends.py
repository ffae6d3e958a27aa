"""The sends of one account as they change, for the readers in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.client.reading.send_news import SendNews
from webwx.client.reading.sends_of_others import LOOK_EVERY, NEWEST, SendsOfOthers
from webwx.storage.lookup import find_send
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from webwx.client.login.account_storage import AccountStorage
    from webwx.storage.tables.outbox import Outbox, Outgoing


class FollowedSends:
    """
    Follows the sends of an account.

    Args:
        storage: The storage of the account.
        now: Returns seconds since 1970, as the sends have it.
    """

    def __init__(self, storage: AccountStorage, now: Callable[[], float]) -> None:
        self._storage = storage
        self._now = now

    def follow(self) -> AsyncGenerator[Outgoing, None]:
        """Return the sends that change from now on."""
        outbox = self._storage.part().outbox
        others = SendsOfOthers(
            self._storage.fingerprint, lambda: outbox.find(SendQuery(limit=NEWEST)), since=self._now()
        )
        return _follow(outbox, self._storage.follow_sends(), others)


async def _follow(outbox: Outbox, news: SendNews[int], others: SendsOfOthers) -> AsyncGenerator[Outgoing, None]:
    loop = asyncio.get_running_loop()
    while True:
        for number in await others.look():
            news.note(number)
        look_at = loop.time() + LOOK_EVERY
        while (changed := await news.take_until(look_at)) is not None:
            send = await find_send(outbox, number=changed)
            if send is not None and news.is_new(changed, send):
                yield send
