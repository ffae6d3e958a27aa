"""
Contact lookup: fetch unknown contacts that appear in messages, in the background.

A burst of messages from a thousand unknown members must neither wait for their names nor cause a thousand calls that
get the account blocked. So ids are collected for a moment and looked up fifty at a time, at most once a second. An id
that the server does not know is not looked up again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from webwx.client.scheduler import JobScheduler
from webwx.errors import LoggedOut, NotLoggedIn, WxError
from webwx.protocol.codes import BATCH_LIMIT
from webwx.protocol.contacts import ContactKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

DELAY = 0.2
"""Seconds for which ids are collected before a call, as on the official page."""

INTERVAL = 1.0
"""Seconds between two calls."""

PAUSE = 60.0
"""Seconds to wait after a failed call, because the platform may have refused it as too frequent."""

MOST_WANTED = 100_000
"""Maximum number of waiting ids; further ids are dropped until the contact appears again."""

MOST_MISSING = 100_000
"""Maximum number of unknown ids that are remembered."""

_TRIES = 2
"""Number of lookups after which an id counts as unknown."""


class ContactLookup:
    """
    The lookups of one client.

    Args:
        look_up: Makes one call, stores the contacts it returns, and returns their ids.
    """

    def __init__(self, look_up: Callable[[Sequence[ContactKey]], Awaitable[Collection[str]]]) -> None:
        self._look_up = look_up
        self._wanted: OrderedDict[str, ContactKey] = OrderedDict()
        self._asked: tuple[ContactKey, ...] = ()
        """Ids of the call that is in progress."""
        self._misses: OrderedDict[str, int] = OrderedDict()
        """Number of lookups of each id that brought no contact."""
        self._free_at = 0.0
        """Time at which the next call may be made (event loop's clock)."""
        self._scheduler = JobScheduler()

    def __len__(self) -> int:
        return len(self._wanted) + len(self._asked)

    def ask(self, contact_id: str, chatroom: str = "") -> None:
        """Look up a contact soon; `chatroom` is the chatroom of a member who is not a friend."""
        is_known = contact_id in self._wanted or any(key.user_name == contact_id for key in self._asked)
        if is_known or self._misses.get(contact_id, 0) >= _TRIES or len(self) >= MOST_WANTED:
            return
        self._wanted[contact_id] = ContactKey(user_name=contact_id, encry_chat_room_id=chatroom)
        self._scheduler.schedule("contact lookup", self._ask_for_batch, self._delay())

    async def close(self) -> None:
        """Drop all ids that wait, and cancel the call that is in progress."""
        self.forget()
        await self._scheduler.close()

    def forget(self) -> None:
        """Drop everything, because ids are new in the next login."""
        self._wanted.clear()
        self._misses.clear()

    def _delay(self) -> float:
        """Return the seconds until the next call may be made."""
        return max(DELAY, self._free_at - asyncio.get_running_loop().time())

    async def _ask_for_batch(self) -> float | None:
        """Make one call; return the seconds until the next one, None when no id waits."""
        count = min(BATCH_LIMIT, len(self._wanted))
        if not count:
            return None
        self._asked = tuple(self._wanted.popitem(last=False)[1] for _ in range(count))
        now = asyncio.get_running_loop().time
        try:
            found = await self._look_up(self._asked)
        except (LoggedOut, NotLoggedIn):
            self._wanted.clear()
        except WxError:
            # These ids are looked up when they appear again.
            self._free_at = now() + PAUSE
        else:
            self._free_at = now() + INTERVAL
            self._settle(found)
        finally:
            self._asked = ()
        return self._delay() if self._wanted else None

    def _settle(self, found: Collection[str]) -> None:
        """Look up again the ids that were missing in the answer."""
        for key in self._asked:
            name = key.user_name
            if name in found:
                self._misses.pop(name, None)
                continue
            self._misses[name] = self._misses.get(name, 0) + 1
            if self._misses[name] < _TRIES:
                self._wanted[name] = key
            if len(self._misses) > MOST_MISSING:
                self._misses.popitem(last=False)
