"""
Sends that the gateway has promised: they are stored in the outbox, and made in the background until they are done.

A promise is a record, so it outlives the process. Only sends with such a record are made here: another program may
have queued sends of its own in the same outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import (
    ConnectFailed,
    LoggedOut,
    NotLoggedIn,
    RateLimited,
    RateLimitReached,
    StorageError,
    TlsError,
    WxError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.storage.base import RecordStore

_log = logging.getLogger("webwx.gateway")

_KIND = "promise"
"""Kind of the records."""

_RETRY = 30.0
"""Seconds until the first promise is tried again after a failure that can pass."""

_PASSING = (ConnectFailed, TlsError, RateLimited, RateLimitReached, LoggedOut, NotLoggedIn, StorageError)
"""Errors after which a send has provably not left, and may leave later."""


class _Promise(msgspec.Struct, frozen=True):
    """The body of a record."""

    number: int
    """Number of the send in the outbox."""


class BackgroundSends:
    """
    The promised sends of one account, made in the order in which they were stored.

    Args:
        account: Number of the account in the gateway.
        records: The records.
        send: Makes a send, by its number in the outbox.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, account: int, records: RecordStore, send: Callable[[int], Awaitable[object]], clock: Callable[[], float]
    ) -> None:
        self._prefix = f"{account}/"
        self._records = records
        self._send = send
        self._clock = clock
        self._waiting: dict[int, str] = {}
        """Id of the record, by the number of the send; in the order of the numbers."""
        self._wake = asyncio.Event()

    def __repr__(self) -> str:
        return f"BackgroundSends({len(self._waiting)} waiting)"

    def __len__(self) -> int:
        return len(self._waiting)

    async def load(self) -> None:
        """Read the promises of an earlier process."""
        for record in await self._records.find(_KIND):
            if record.id.startswith(self._prefix):
                self._waiting[msgspec.json.decode(record.body, type=_Promise).number] = record.id
        self._waiting = dict(sorted(self._waiting.items()))

    async def add(self, number: int) -> None:
        """Promise a send of the outbox by its number; return once the promise is stored."""
        if number in self._waiting:
            return
        record_id = f"{self._prefix}{number:012d}"
        if await self._records.get(_KIND, record_id) is None:
            body = msgspec.json.encode(_Promise(number))
            await self._records.put(_KIND, record_id, body, version=0, time=self._clock())
        self._waiting[number] = record_id
        self.wake()

    def wake(self) -> None:
        """Try the first promise now, because the account may be able to send again."""
        self._wake.set()

    async def run(self) -> None:
        """Make the promised sends, without end."""
        while True:
            self._wake.clear()
            if not self._waiting or not await self._make_first():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _RETRY if self._waiting else None)

    async def _make_first(self) -> bool:
        """Make the first promised send; return whether it is done, with any outcome."""
        number, record_id = next(iter(self._waiting.items()))
        try:
            await self._send(number)
        except _PASSING:
            return False
        except WxError as error:  # the outbox has the outcome
            _log.warning("A queued send has failed (%s); the outbox shows it.", type(error).__name__)
        try:
            await self._records.delete(_KIND, record_id)
        except StorageError:
            return False
        del self._waiting[number]
        return True
