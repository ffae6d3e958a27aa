"""
Time-outs of conversations: calls of handlers of `StateTimedOut` when a step was not set again in time.

A deadline is stored with the state, and is removed in the transaction that stores the changes of the time-out's
handler. So a time-out that was due while no process ran is handled at the next start, and a time-out that a crash
interrupts is handled again, with the same keys for its sends. A handler that fails is called again, like the handler of
an event.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from webwx.bot.account_health import AGAIN
from webwx.bot.chat_queues import DRAIN_TIMEOUT, pause_after
from webwx.bot.journal import use_journal
from webwx.client.scheduler import JobScheduler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.account_health import AccountHealth
    from webwx.bot.conversations import Conversations
    from webwx.bot.failures import FailureReports
    from webwx.storage.tables.conversations import ConversationRow

AT_ONCE = 16
"""Maximum number of time-outs that are handled, or wait for another attempt, at the same time."""

_CHECK_EVERY = 60.0
"""Maximum number of seconds between two checks of the wall clock, which may be set at any time."""

_log = logging.getLogger("webwx.bot")


class StateTimeouts:
    """
    The time-outs of one bot's conversations.

    Args:
        conversations: The bot's conversations, which are open.
        call: Handles a time-out; called with the conversation and the number of the attempt, from 1. Its errors count
            as failed attempts.
        is_over: Returns whether attempts fail for another reason, such as the end of the login: then no failure is
            counted, and the next run repeats the call.
        bot: The bot's name.
        attempts: Number of attempts after which a time-out is given up.
        health: Distinguishes failures of the account, which do not count.
        reports: Texts about failures.
    """

    def __init__(
        self,
        conversations: Conversations,
        call: Callable[[ConversationRow, int], Awaitable[object]],
        *,
        is_over: Callable[[], bool],
        bot: str,
        attempts: int,
        health: AccountHealth,
        reports: FailureReports,
    ) -> None:
        self._conversations = conversations
        self._call = call
        self._is_over = is_over
        self._bot = bot
        self._attempts = attempts
        self._health = health
        self._reports = reports
        self._next = 0.0
        """A time that is not after the earliest deadline: seconds since 1970."""
        self._failures: dict[str, int] = {}
        """Failed attempts at the time-outs that are handled now, by the keys of the conversations."""
        self._news = asyncio.Event()
        """Set when there is an earlier deadline."""
        self._scheduler = JobScheduler(self._fail)
        self._error: BaseException | None = None
        """Error of a call that its handler did not cause; it ends `run`."""

    async def run(self) -> None:
        """Handle time-outs until this is cancelled; then running handlers may take ten seconds to end."""
        self._conversations.on_deadline = self._note_deadline
        try:
            while True:
                self._news.clear()
                if self._next <= self._conversations.now():
                    await self._start_due()
                left = self._next - self._conversations.now()
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(left) else min(left, _CHECK_EVERY)):
                        await self._news.wait()
                if self._error is not None:
                    raise self._error
        finally:
            await self._scheduler.close(grace=DRAIN_TIMEOUT)

    def _note_deadline(self, deadline: float) -> None:
        """Note a deadline, which may be the earliest one."""
        if deadline < self._next:
            self._next = deadline
            self._news.set()

    def _fail(self, _: str, error: BaseException) -> None:
        self._error = error
        self._news.set()

    async def _start_due(self) -> None:
        """Start to handle the time-outs that are due, and note the deadline of the next one."""
        self._next = math.inf
        subscription = self._conversations.opened()
        count = AT_ONCE + len(self._failures) + 1
        rows = await use_journal(subscription.name, lambda: subscription.consumer.deadlines(count))
        now = self._conversations.now()
        for row in rows:
            if row.deadline is None or row.key in self._failures:
                continue
            if row.deadline > now:
                self._note_deadline(row.deadline)
                break
            if len(self._failures) >= AT_ONCE:  # the end of one of them looks again
                break
            self._failures[row.key] = 0
            self._scheduler.schedule(row.key, partial(self._handle, row))

    async def _handle(self, row: ConversationRow) -> float | None:
        """Handle a time-out; return the seconds until the next attempt, None if no attempt follows."""
        failures = self._failures[row.key]
        try:
            await self._call(row, failures + 1)
        except BaseException as error:
            # Anything else that a handler raises is its failure, even a cancellation.
            if self._scheduler.is_closed or isinstance(error, KeyboardInterrupt):
                raise
            if self._is_over():
                return None
            if not await self._health.counts(("timeout", row.key), error):
                return AGAIN
            failures += 1
            self._failures[row.key] = failures
            _log.log(
                logging.ERROR if failures >= self._attempts else logging.WARNING,
                "%s: the time-out of a state failed (attempt %d of %d): %s",
                self._bot, failures, self._attempts, self._reports.text(error),
            )  # fmt: skip
            if failures < self._attempts:
                return pause_after(failures)
            await self._conversations.remove_deadline(row)
        self._health.forget(("timeout", row.key))
        del self._failures[row.key]
        self._note_deadline(0.0)
        return None
