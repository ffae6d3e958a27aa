"""
Promised sends: they are stored in the outbox, and the gateway makes them in the background after its answer.

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
    RecordChanged,
    StorageError,
    TlsError,
    WxError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.storage.tables.records import RecordStore, StoredRecord

_log = logging.getLogger("webwx.gateway")

TEXTS, FILES = "promise", "promise.file"
"""Kinds of the records. Files have a queue of their own, so that no text waits for an upload."""

_RETRY = 30.0
"""Seconds until the first promise is tried again after a temporary failure."""

_PASSING = (ConnectFailed, TlsError, RateLimited, RateLimitReached, LoggedOut, NotLoggedIn, StorageError)
"""Errors after which the message was certainly not sent, and may be sent later."""


class Promise(msgspec.Struct, frozen=True, omit_defaults=True):
    """A promised send, as the body of its record."""

    number: int
    """Number of the send in the outbox."""
    file: str = ""
    """Name of its file in `AccountSendFiles`; empty for a text."""


class BackgroundSends:
    """
    The promised sends of one account, made in the order in which they were stored.

    Args:
        account: Number of the account in the gateway.
        records: The records.
        send: Makes a send.
        clock: Returns seconds since 1970.
        kind: Kind of the records.
        settled: Called with a promise after its send has an outcome and its record was deleted; it counts as waiting
            until this returns.
    """

    def __init__(
        self,
        account: int,
        records: RecordStore,
        send: Callable[[Promise], Awaitable[object]],
        clock: Callable[[], float],
        *,
        kind: str = TEXTS,
        settled: Callable[[Promise], Awaitable[object]] | None = None,
    ) -> None:
        self._account = account
        self._records = records
        self._send = send
        self._clock = clock
        self._kind = kind
        self._settled = settled
        self._waiting: dict[int, Promise] = {}
        """The promises by the number of their send, in the order of the numbers."""
        self._wake = asyncio.Event()
        self._has_unread = False
        """Whether another process has stored promises that were not read."""

    def __repr__(self) -> str:
        return f"BackgroundSends({len(self._waiting)} waiting)"

    def __len__(self) -> int:
        return len(self._waiting)

    def find(self, number: int) -> Promise | None:
        """Return the promise of a send by its number in the outbox; None for a send without a promise."""
        return self._waiting.get(number)

    @property
    def promises(self) -> list[Promise]:
        """The promises, in the order of their sends."""
        return list(self._waiting.values())

    async def load(self) -> None:
        """Read the promises that other processes have stored, such as an earlier one."""
        for promise in await _promises_of(self._records, self._kind, self._account):
            self.take(promise)

    def take(self, promise: Promise) -> None:
        """Take over a promised send whose record another process has stored."""
        if promise.number not in self._waiting:
            self._waiting[promise.number] = promise
            self._waiting = dict(sorted(self._waiting.items()))
            self.wake()

    def load_soon(self) -> None:
        """Read the promises of the account again, because another process has stored some."""
        self._has_unread = True
        self.wake()

    async def add(self, promise: Promise) -> None:
        """Promise a send; return once the promise is stored."""
        if promise.number in self._waiting:
            return
        record_id = _record_id(self._account, promise.number)
        if await self._records.get(self._kind, record_id) is None:
            body = msgspec.json.encode(promise)
            await self._records.put(self._kind, record_id, body, version=0, time=self._clock())
        self._waiting[promise.number] = promise
        self.wake()

    async def delete_all(self) -> None:
        """Delete all promises, because the account is removed; the sends stay in the outbox."""
        for number in list(self._waiting):
            await self._records.delete(self._kind, _record_id(self._account, number))
            del self._waiting[number]

    def wake(self) -> None:
        """Try the first promise now, because the account may be able to send again."""
        self._wake.set()

    async def run(self) -> None:
        """Make the promised sends, without end."""
        while True:
            self._wake.clear()
            if self._has_unread:
                self._has_unread = False
                with contextlib.suppress(StorageError):  # all promises are read again from time to time
                    await self.load()
            if not self._waiting or not await self._make_first():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY if self._waiting else None):
                        await self._wake.wait()

    async def _make_first(self) -> bool:
        """Make the first promised send, and return whether it has an outcome."""
        promise = next(iter(self._waiting.values()))
        try:
            await self._send(promise)
        except _PASSING:
            return False
        except WxError as error:  # the outbox has the outcome
            _log.warning("A queued send has failed (%s); the outbox shows it.", type(error).__name__)
        try:
            await self._records.delete(self._kind, _record_id(self._account, promise.number))
            if self._settled is not None:
                await self._settled(promise)
        except StorageError:
            return False
        del self._waiting[promise.number]
        return True


async def find_promises(records: RecordStore, kind: str) -> dict[int, list[Promise]]:
    """Return the promises of a kind by the number of their account, each account's in the order of its sends."""
    found: dict[int, list[Promise]] = {}
    for record in await records.find(kind):
        found.setdefault(int(record.id.partition("/")[0]), []).append(_promise(record))
    return found


async def _promises_of(records: RecordStore, kind: str, account: int) -> list[Promise]:
    """Return the promises of a kind of one account, in the order of its sends."""
    return [_promise(record) for record in await records.find(kind, prefix=f"{account}/")]


def _promise(record: StoredRecord) -> Promise:
    return msgspec.json.decode(record.body, type=Promise)


async def store_promise(records: RecordStore, account: int, number: int, time: float) -> None:
    """
    Promise to send a text of the outbox; the process that runs the account makes the send.

    Args:
        records: The records.
        account: Number of the account in the gateway.
        number: Number of the send in the outbox.
        time: The current time: seconds since 1970.
    """
    with contextlib.suppress(RecordChanged):  # it is promised already
        body = msgspec.json.encode(Promise(number))
        await records.put(TEXTS, _record_id(account, number), body, version=0, time=time)


async def delete_promises(records: RecordStore, account: int) -> None:
    """Delete the promises of an account, because it is removed; the sends stay in the outbox."""
    for kind in (TEXTS, FILES):
        for promise in await _promises_of(records, kind, account):
            await records.delete(kind, _record_id(account, promise.number))


def _record_id(account: int, number: int) -> str:
    return f"{account}/{number:012d}"
