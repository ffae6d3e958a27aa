"""
One-shot timers: calls of handlers that are due once, at a time that the program chooses while it runs.

A timer is a row in the journal, which stays there until its handler has returned. So a call that was due while no
process ran is made at the next start, and a call that a crash interrupts is made again, with the same keys for its
sends. A call that fails is repeated like the handling of an event.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from webwx.bot.account_health import AGAIN
from webwx.bot.chat_queues import DRAIN_TIMEOUT, pause_after
from webwx.bot.journal import use_journal
from webwx.bot.log_fields import log_fields
from webwx.client.scheduler import JobScheduler
from webwx.errors import LoggedOut, NotLoggedIn, UnknownContact
from webwx.model.contacts import ContactId
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from webwx.bot.account_health import AccountHealth
    from webwx.bot.failures import FailureReports
    from webwx.client.client import AsyncClient
    from webwx.storage.base import AccountJournal
    from webwx.storage.tables.timers import StoredTimer, StoredTimers, TimerOutcome

    OneShotHandler = Callable[..., object]
    """Called with a context and the timer's data."""


AT_ONCE = 16
"""Maximum number of calls that run at the same time."""

_CHECK_EVERY = 60.0
"""Maximum number of seconds between two checks of the system clock, which may be set at any time."""

_LISTED = 10_000
"""Maximum number of timers in a list."""

_log = logging.getLogger("webwx.bot")


class TimerCounts(msgspec.Struct):
    """Number of calls of a bot's timers of both kinds, by outcome."""

    done: int = 0
    failed: int = 0


class OneShotTimers:
    """
    The one-shot timers of one bot: stores them, and calls their handlers when they are due.

    Args:
        handlers: The handlers that may be called, by their names.
        client: The account's client.
        part: The account's part of the journal.
        call: Calls a handler for a timer with the id of its chat, which is empty without a chat; its errors count as
            failed attempts.
        bot: The bot's name.
        attempts: Number of attempts after which a call is given up.
        counts: Counters to use.
        health: Distinguishes failures of the account, which do not count.
        reports: Texts about failures.
    """

    def __init__(
        self,
        handlers: Mapping[str, OneShotHandler],
        client: AsyncClient,
        part: AccountJournal,
        call: Callable[[OneShotHandler, StoredTimer, ContactId], Awaitable[object]],
        *,
        bot: str,
        attempts: int,
        counts: TimerCounts,
        health: AccountHealth,
        reports: FailureReports,
    ) -> None:
        self._handlers = handlers
        self._client = client
        self._store: StoredTimers = part.timers
        self._call = call
        self._bot = bot
        self._attempts = attempts
        self._counts = counts
        self._health = health
        self._reports = reports
        self._news = asyncio.Event()
        """Set when the earliest due time may have changed."""
        self._running: set[int] = set()
        """Numbers of the timers whose handlers run."""
        self._ended: set[int] = set()
        """Numbers of the timers whose calls have ended since the last query for due timers began."""
        self._skipped: set[int] = set()
        """Numbers of the timers that cannot be called by this process."""
        self._scheduler = JobScheduler(self._fail)
        self._began_at = 0.0
        """Time at which `run` began, in seconds since 1970."""
        self._error: BaseException | None = None
        """Error of a call that its handler did not cause; it ends `run`."""

    # -- scheduling --------------------------------------------------------------------------------------------------

    async def add(
        self, handler: OneShotHandler | str, due_at: float, *, key: str, chat: ContactId, name: str, data: object
    ) -> StoredTimer:
        """
        Store a timer, or return the one that was stored with the same key.

        Args:
            handler: The handler, or its name.
            due_at: Time of the call, in seconds since 1970.
            key: Idempotency key.
            chat: Chat of the call; empty without a chat.
            name: Name for the bot's own use.
            data: Data for the handler, which can be encoded as JSON.

        Raises:
            ValueError: The handler is not registered.
            TypeError: The data cannot be encoded.
            StorageError: The timer was not stored.
        """
        timer = await self._store.add(
            bot=self._bot, handler=self._name_of(handler), key=key, name=name, chat=chat,
            payload=msgspec.json.encode(data), due_at=due_at, time=self._client.clock(),
        )  # fmt: skip
        self._news.set()
        return timer

    async def find(self, *, name: str | None, chat: ContactId | None) -> list[StoredTimer]:
        """Return the timers that wait, of any name and chat or of certain ones, in the order of their times."""
        rows = await self._store.find(TimerQuery(bot=self._bot, name=name, limit=_LISTED))
        if chat is None:
            return rows
        return [row for row in rows if row.chat == chat or await self._present_id(row) == chat]

    async def cancel(self, number: int) -> bool:
        """Cancel a timer of this bot, and return whether it waited; a call that runs is not interrupted."""
        if not await self._store.find(TimerQuery(bot=self._bot, number=number)):
            return False
        return await self._store.settle(number, "cancelled", time=self._client.clock())

    def _name_of(self, handler: OneShotHandler | str) -> str:
        if isinstance(handler, str):
            name = handler if handler in self._handlers else None
        else:
            name = next((name for name, each in self._handlers.items() if each is handler), None)
        if name is None:
            written = repr(handler) if isinstance(handler, str) else getattr(handler, "__name__", repr(handler))
            raise ValueError(
                f"{written} is not a handler of one-shot timers of the bot {self._bot!r}; write @bot.timer() above it."
            )
        return name

    async def _present_id(self, timer: StoredTimer) -> ContactId | None:
        """Return the id that a timer's chat has in this login; None if the chat is not among its contacts."""
        if not timer.chat:
            return ContactId("")
        try:
            return (await self._client.find_contact(timer.chat)).id
        except UnknownContact:
            return None

    # -- calling handlers --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Call handlers until this is cancelled; then running ones may take ten seconds to end."""
        self._began_at = self._client.clock()
        try:
            while True:
                self._news.clear()
                left = await self._start_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._news.wait()
                if self._error is not None:
                    raise self._error
        finally:
            await self._scheduler.close(grace=DRAIN_TIMEOUT)

    def _fail(self, _: str, error: BaseException) -> None:
        self._error = error
        self._news.set()

    async def _start_due(self) -> float | None:
        """Start the calls that are due; return the seconds until the next check, None to wait for a change."""
        self._ended.clear()
        query = TimerQuery(bot=self._bot, limit=AT_ONCE + len(self._skipped) + 1)
        rows = await use_journal(self._bot, lambda: self._store.find(query))
        now = self._client.clock()
        for row in rows:
            if row.number in self._running | self._ended | self._skipped:
                continue
            if row.due_at > now:
                return min(row.due_at - now, _CHECK_EVERY)
            if len(self._running) >= AT_ONCE:
                break
            self._running.add(row.number)
            self._scheduler.schedule(f"timer {row.number}", partial(self._call_handler, row))
        return None

    async def _call_handler(self, timer: StoredTimer) -> None:
        """Call a timer's handler, and store the outcome."""
        try:
            handler = self._handlers.get(timer.handler)
            if handler is None:
                _log.error(
                    "%s: the timer %d waits for the handler %s, which this program does not have.",
                    self._bot, timer.number, timer.handler, extra=log_fields(self._bot, timer=timer.number),
                )  # fmt: skip
                self._skipped.add(timer.number)
                return
            if timer.due_at <= self._began_at and not await self._count_in_advance(timer):
                return
            try:
                chat = await self._present_id(timer)
                if chat is None:
                    raise UnknownContact("The chat of the timer is not among the contacts of this login.")
                await self._call(handler, timer, chat)
            except BaseException as error:
                # Anything else that a handler raises is its failure, even a cancellation.
                if self._scheduler.is_closed or isinstance(error, KeyboardInterrupt):
                    raise
                await self._handle_failure(timer, error)
            else:
                self._counts.done += 1
                await self._settle(timer, "done")
        finally:
            self._running.discard(timer.number)
            self._ended.add(timer.number)
            self._news.set()

    async def _count_in_advance(self, timer: StoredTimer) -> bool:
        """
        Count the attempt at a timer that was due before the start, and return whether to make it.

        A crash may have interrupted the attempt. If the handler itself causes the crash, it must not crash every later
        process.
        """
        if timer.failures < self._attempts:
            await self._postpone(timer, timer.due_at, timer.failures + 1)
            return True
        _log.error(
            "%s: the timer %d is given up after %d interrupted or failed attempts.",
            self._bot, timer.number, timer.failures, extra=log_fields(self._bot, timer=timer.number),
        )  # fmt: skip
        await self._settle(timer, "failed")
        return False

    async def _handle_failure(self, timer: StoredTimer, error: BaseException) -> None:
        """Count a failed attempt, unless the account has failed; schedule another one, or give up."""
        if isinstance(error, (LoggedOut, NotLoggedIn)):
            self._counts.failed += 1
            self._skipped.add(timer.number)  # the next login calls it again
            await self._postpone(timer, timer.due_at, timer.failures)
            return
        if not await self._health.counts(("timer", timer.number), error):
            await self._postpone(timer, self._client.clock() + AGAIN, timer.failures)
            return
        self._counts.failed += 1
        failures = timer.failures + 1
        _log.log(
            logging.ERROR if failures >= self._attempts else logging.WARNING,
            "%s: the timer %d failed (attempt %d of %d): %s",
            self._bot, timer.number, failures, self._attempts, self._reports.text(error),
            extra=log_fields(self._bot, chat=timer.chat, timer=timer.number),
        )  # fmt: skip
        if failures >= self._attempts:
            await self._settle(timer, "failed")
            return
        await self._postpone(timer, self._client.clock() + pause_after(failures), failures)

    # -- journal -----------------------------------------------------------------------------------------------------

    async def _postpone(self, timer: StoredTimer, due_at: float, failures: int) -> None:
        now = self._client.clock()
        await use_journal(self._bot, lambda: self._store.postpone(timer.number, due_at, failures=failures, time=now))

    async def _settle(self, timer: StoredTimer, outcome: TimerOutcome) -> None:
        self._health.forget(("timer", timer.number))
        now = self._client.clock()
        await use_journal(self._bot, lambda: self._store.settle(timer.number, outcome, time=now))
