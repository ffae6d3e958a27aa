"""
The send queue of one account: the background sends in its outbox, which the owner of the account makes.

The rows of the outbox are the queue, so it outlives the process, and goes on in the next owner of the account. This
process only remembers which rows wait. Texts and files have a queue each, so that no text waits for an upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import (
    ConnectFailed,
    LoggedOut,
    NotLoggedIn,
    RateLimited,
    RateLimitReached,
    SendOutcomeUnknown,
    StorageError,
    TlsError,
    WxError,
)
from webwx.storage.lookup import find_send
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from webwx.storage.tables.outbox import Outbox, Outgoing

_log = logging.getLogger("webwx.gateway")

_RETRY = 30.0
"""Seconds until the first send of a queue is tried again after a temporary failure."""

_READ = 500
"""Number of sends that are read at a time."""

_PASSING = (ConnectFailed, TlsError, RateLimited, RateLimitReached, LoggedOut, NotLoggedIn, StorageError)
"""Errors after which the message was certainly not sent, and may be sent later."""


class AccountOutbox(NamedTuple):
    """The outbox of the account that is logged in."""

    account: int
    """The account's number at the platform."""
    outbox: Outbox


class QueuedSend(NamedTuple):
    """A background send that has no outcome yet."""

    number: int
    """Number of the send in the outbox."""
    key: str
    """Its key; its id if it has none."""
    file: str = ""
    """Name of its file in `AccountSendFiles`; empty for a text."""


def queued(row: Outgoing) -> QueuedSend:
    """Return what is remembered of a send."""
    return QueuedSend(row.number, row.key or row.client_id, row.file)


class _Queue:
    """The sends that are made one after another, by their numbers and in the order of these."""

    def __init__(self) -> None:
        self.waiting: dict[int, QueuedSend] = {}
        self.wake = asyncio.Event()

    def add(self, send: QueuedSend) -> None:
        """Add a send, unless it waits already."""
        if send.number not in self.waiting:
            is_last = not self.waiting or send.number > next(reversed(self.waiting))
            self.waiting[send.number] = send
            if not is_last:
                self.waiting = dict(sorted(self.waiting.items()))
            self.wake.set()


class BackgroundSends:
    """
    The background sends of one account, made in the order in which they were stored.

    Args:
        outbox: Returns the outbox of the account; raises `NotLoggedIn` before its first login.
        make: Makes a send, or raises why it was not made.
        ended: Called with a send that has an outcome, or was deleted; it counts as waiting until this returns.
        clock: Returns seconds since 1970.
        prepare: Called with the outbox before it is read, until it has returned once without an error.
    """

    def __init__(
        self,
        outbox: Callable[[], AccountOutbox],
        make: Callable[[QueuedSend], Awaitable[object]],
        ended: Callable[[QueuedSend], Awaitable[object]],
        clock: Callable[[], float],
        *,
        prepare: Callable[[Outbox], Awaitable[object]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._make = make
        self._ended = ended
        self._clock = clock
        self._prepare = prepare
        self._texts, self._files = _Queue(), _Queue()
        self._account = 0
        """The account whose sends are remembered; 0 for none."""
        self._newest = 0
        """Number of the newest send that was read."""
        self._reads_all = True
        """Whether the next reading is of all sends, not only of later ones."""
        self._unread = asyncio.Event()
        """Set if sends may wait that were not read."""
        self._unread.set()

    def __repr__(self) -> str:
        return f"BackgroundSends({len(self)} waiting)"

    def __len__(self) -> int:
        return len(self._texts.waiting) + len(self._files.waiting)

    def has(self, number: int) -> bool:
        """Return whether a send waits, by its number."""
        return number in self._texts.waiting or number in self._files.waiting

    @property
    def files(self) -> list[QueuedSend]:
        """The sends of files that wait."""
        return list(self._files.waiting.values())

    def add(self, send: QueuedSend) -> None:
        """Make a send that was stored as a background send."""
        (self._files if send.file else self._texts).add(send)

    async def load(self) -> None:
        """
        Read the sends that were stored since the last call, by any process.

        Raises:
            NotLoggedIn: The account has never logged in.
            StorageError: They cannot be read.
        """
        account, outbox = self._outbox()
        if account != self._account:  # another account has logged in under this name
            self._texts.waiting.clear()
            self._files.waiting.clear()
            self._account, self._reads_all = account, True
        if self._prepare is not None:
            await self._prepare(outbox)
            self._prepare = None
        if self._reads_all:
            self._newest, self._reads_all = 0, False
        while rows := await outbox.find(SendQuery(background=True, after=self._newest, limit=_READ)):
            for row in rows:
                self.add(queued(row))
            self._newest = rows[-1].number

    def load_soon(self, *, all_of_them: bool = False) -> None:
        """
        Read the sends that another process has just stored, and make them.

        Args:
            all_of_them: Read also earlier sends that were no background sends before.
        """
        if all_of_them:
            self._reads_all = True
        self._unread.set()

    def wake(self) -> None:
        """Try the first sends now, because the account may be able to send again."""
        self._unread.set()  # the first login makes the outbox known
        self._texts.wake.set()
        self._files.wake.set()

    def works(self) -> list[Coroutine[object, object, None]]:
        """Return what makes the sends, without end."""
        return [self._keep_loading(), self._run(self._texts), self._run(self._files)]

    async def _keep_loading(self) -> None:
        while True:
            await self._unread.wait()
            self._unread.clear()
            try:
                await self.load()
            except NotLoggedIn:
                continue
            except StorageError as error:
                _log.debug("The background sends of an account cannot be read now: %s", error)
                await _wait(self._unread, _RETRY)
                self._unread.set()

    async def _run(self, queue: _Queue) -> None:
        while True:
            queue.wake.clear()
            if not queue.waiting or not await self._make_first(queue):
                await _wait(queue.wake, _RETRY if queue.waiting else None)

    async def _make_first(self, queue: _Queue) -> bool:
        """Make the first send of a queue, and return whether it waits no longer."""
        send = next(iter(queue.waiting.values()))
        try:
            try:
                await self._make(send)
            except _PASSING:
                return False
            except WxError as error:
                if not await self._has_ended(send, error):
                    return False
            await self._ended(send)
        except (StorageError, NotLoggedIn):  # during a login, the outbox is that of no account
            return False
        queue.waiting.pop(send.number, None)
        return True

    async def _has_ended(self, send: QueuedSend, error: WxError) -> bool:
        """
        Return whether a send that was not made has an outcome; one that can never be made fails.

        Raises:
            NotLoggedIn: A login has begun meanwhile, so its state cannot be read.
            StorageError: Its state cannot be read or stored.
        """
        outbox = self._outbox().outbox
        row = await find_send(outbox, number=send.number)
        if row is None:
            return True
        if row.state == "sending":  # by another process
            return False
        if row.state == "queued" and row.background:
            if isinstance(error, SendOutcomeUnknown):  # that process has sent nothing
                return False
            await outbox.settle(send.number, "failed", time=self._clock())
        _log.warning("A queued send has failed (%s); the outbox shows it.", type(error).__name__)
        return True


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    """Return once an event is set, or after some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
