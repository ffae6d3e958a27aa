"""
Chat queues: pass the entries of one subscription to one handler.

Each chat has a queue: one of its entries is handled at a time, in the order of arrival. The queues of several chats are
handled concurrently. There is no task per entry: workers take queues that are ready, and each worker starts one more
before it calls the handler. A handler that never waits needs no turn of the event loop, and a handler that waits long
delays no other chat.

The number of entries in memory is bounded. When the limit has been reached for a second, entries that wait behind
others of their chat are deferred: only their number is kept, and they are read from the journal again when their turn
comes. So a chat whose handler hangs does not use up the room of all others. One read takes the next deferred entries of
all chats, with an equal share for each, because they mostly come from the same batches: at most as many entries as may
be in memory are read ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from webwx.bot.account_health import WAITS, FailureMeaning
from webwx.bot.failures import FailureReports, describe, summarize
from webwx.bot.journal import use_journal
from webwx.bot.log_fields import log_fields
from webwx.bot.questions import Dialogue
from webwx.client.reading.delivered import Deferred
from webwx.client.scheduler import JobScheduler
from webwx.errors import InvalidRequest, NoAnswer
from webwx.model.contacts import ContactId
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.account_health import AccountHealth
    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.subscription import Subscription
    from webwx.model.messages import Event
    from webwx.storage.entries import Entry

    Handle = Callable[[Delivered, int], Awaitable[bool]]
    """Handles an entry, at its n-th attempt (from 1), and returns whether it has acknowledged the entry itself."""


MAX_IN_FLIGHT = 1_000
"""Maximum number of entries in memory: those being handled and those waiting in a queue."""

MAX_DEFERRED = 100_000
"""Maximum number of deferred entries; further entries stay in the journal."""

SLOW_AFTER = 30.0
"""Seconds after which a running handler is logged as slow."""

DRAIN_TIMEOUT = 10.0
"""Seconds that running handlers may take to end when the queues stop."""

ISOLATION_TIME = 5.0
"""Maximum number of seconds in isolation, in which no other handler is started."""

_ISOLATED_FROM = 2
"""Minimum number of crashes for an entry to be handled in isolation, because it may be a poison message."""

_GIVEN_UP_FROM = 3
"""Minimum number of crashes for an entry to be given up; one of these crashes happened in isolation."""

_TIME_SLICE = 0.0001
"""Seconds of uninterrupted work after which a worker lets other tasks run, such as the one that takes new entries."""

_CANCEL_TIMEOUT = 0.5
"""Seconds that a cancelled handler may take to end."""

_SWEEP_EVERY = 1.0
"""Seconds between two checks for slow handlers."""

_IDLE_WORKERS = 16
"""Number of idle workers that are kept after a burst."""

_log = logging.getLogger("webwx.bot")


class DeliveryCounts(msgspec.Struct, kw_only=True):
    """Number of entries by outcome."""

    delivered: int = 0
    """Entries that were handled, or needed no handler."""
    failed: int = 0
    """Attempts that have failed."""
    dead: int = 0
    """Entries that became dead letters."""
    slow: int = 0
    """Calls of the handler that took longer than 30 s."""
    blocked: int = 0
    """Times that a handler has blocked the event loop for longer than a second."""
    unknown_sends: int = 0
    """Sends whose outcome is unknown, and which count as made."""
    in_flight: int = 0
    """Entries in memory now: being handled, waiting in a queue, or waiting for another attempt."""
    deferred: int = 0
    """Entries that wait for a slow chat and are read from the journal again."""


class _ChatQueue:
    """Entries of one chat; the first one is being handled, or is handled next."""

    __slots__ = (
        "attempt", "began_at", "chat", "deferred", "dialogue", "has_waited_for_crashes", "is_reported",
        "is_timed_out", "waiting", "worker",
    )  # fmt: skip

    def __init__(self, chat: ContactId) -> None:
        self.chat = chat
        self.waiting: deque[Delivered | Deferred] = deque()
        self.deferred = 0
        """Number of deferred entries; while there are any, new ones are deferred as well, which keeps their order."""
        self.attempt = 0
        """Number of the next attempt at the first entry; 0 before an attempt has failed."""
        self.began_at: float | None = None
        """Start of the running call by the loop's clock; None while the handler waits for an answer."""
        self.dialogue: Dialogue | None = None
        """Questions of the first entry's handler; None before its first question."""
        self.has_waited_for_crashes = False
        """Whether the first entry has waited until living processes could take their crashes back."""
        self.is_reported = False
        self.is_timed_out = False
        self.worker: asyncio.Task[None] | None = None


class ChatQueues:
    """
    The chat queues of one subscription.

    Args:
        subscription: Source of the entries.
        handle: Called with each entry.
        attempts: Number of attempts after which an entry becomes a dead letter.
        in_flight: Maximum number of entries in memory.
        time_limit: Seconds after which the handler is cancelled, which counts as a failure.
        is_over: Returns whether attempts fail for another reason than the entry, such as the end of the login: then no
            failure is counted, and the entry is delivered again later.
        counts: Counters to use; their owner may read them at any time.
        health: Distinguishes failures of the account, which count no attempt: all queues wait until it is well again.
            None: every failure counts.
        reports: Texts about failures; default: texts without the messages of exceptions.
    """

    def __init__(
        self,
        subscription: Subscription,
        handle: Handle,
        *,
        attempts: int = 3,
        in_flight: int = MAX_IN_FLIGHT,
        time_limit: float | None = None,
        is_over: Callable[[], bool] = lambda: False,
        counts: DeliveryCounts | None = None,
        health: AccountHealth | None = None,
        reports: FailureReports | None = None,
    ) -> None:
        self.counts: DeliveryCounts = counts or DeliveryCounts()
        self.last_handled: int = 0
        """Highest number of an entry that was passed to the handler."""
        self._subscription = subscription
        self._handle = handle
        self._attempts = attempts
        self._limit = in_flight
        self._time_limit = time_limit
        self._is_over = is_over
        self._health = health
        self._reports = reports or FailureReports()
        self._loop = asyncio.get_running_loop()
        self._queues: dict[ContactId, _ChatQueue] = {}
        self._ready: deque[_ChatQueue] = deque()
        self._waiting_for_isolation: deque[_ChatQueue] = deque()
        """Ready queues whose first entry needs isolation; they come before the others, one by one."""
        self._isolated: _ChatQueue | None = None
        """The queue that is handled in isolation; no other queue is started meanwhile."""
        self._waiting_for_retry: dict[_ChatQueue, asyncio.TimerHandle] = {}
        """Queues whose first entry has failed and waits for another attempt."""
        self._waiting_for_account: list[_ChatQueue] = []
        """Queues whose first entry has failed because of the account."""
        self._account_failures = 0
        """Number of times in a row that the account had to wait."""
        self._is_account_waiting = False
        """Whether no queue is started until the account is well again."""
        self._resume_until = 0.0
        """Time (event loop's clock) at which entries are tried even if the account is not online."""
        self._workers: set[asyncio.Task[None]] = set()
        self._scheduler = JobScheduler(lambda _, error: self._stop_for(error))
        self._idle: list[asyncio.Future[None]] = []
        self._is_worker_starting = False
        """Whether a worker was started or woken, and has not taken a queue yet."""
        self._is_draining = False
        self._is_ended = False
        self._change: asyncio.Future[None] | None = None
        """Resolved when there may be room for more entries, or no queue is left."""
        self._run_task: asyncio.Task[object] | None = None
        self._task_error: Exception | None = None
        """Error of a worker or of the sweep, which ends `run`."""
        self._is_interrupted = False
        """Whether an exception such as `KeyboardInterrupt` has ended a worker and the event loop."""
        self._entries_of_questions = 0
        """Number of entries in memory whose handlers wait for an answer, with the answers so far."""
        self._read_ahead: dict[int, Delivered | None] = {}
        """Deferred entries that were read from the journal again, by number; None: deleted meanwhile."""
        self._reading = asyncio.Lock()
        self._finished = 0
        self._finished_before = 0

    async def run(self) -> None:
        """
        Pass entries to the handler until this is cancelled, or the subscription raises or ends.

        At the end no more entries are taken, running handlers may take ten seconds to end, and the cancellation or the
        error is raised. A second cancellation ends the wait; entries that were not handled by then are not
        acknowledged.
        """
        self._run_task = asyncio.current_task()
        try:
            try:
                await self._enqueue_all()
            finally:
                if self._task_error is None and not self._is_interrupted:
                    await self._drain()
        except asyncio.CancelledError:
            if self._task_error is None or self._run_task is None:
                raise
            self._run_task.uncancel()
            raise self._task_error from None
        finally:
            try:
                await self._scheduler.close()
            finally:  # a further cancellation may interrupt the wait above
                await self._end()

    # -- taking entries ------------------------------------------------------------------------------------------------

    async def _enqueue_all(self) -> None:
        while True:
            while (room := self._room()) <= 0 or self.counts.deferred >= MAX_DEFERRED:
                await self._wait_for_change()
            taken = await use_journal(self._subscription.name, lambda: self._subscription.take(room))
            if not taken:
                return
            for delivered in taken:
                self._enqueue(delivered)
            self._start_worker()

    def _room(self) -> int:
        """Return the number of entries that still fit in memory; entries that wait for an answer do not count."""
        return self._limit + self._entries_of_questions - self.counts.in_flight

    def _enqueue(self, delivered: Delivered) -> None:
        chat = delivered.entry.chat
        queue = self._queues.get(chat)
        if queue is None:
            queue = self._queues[chat] = _ChatQueue(chat)
            self._scheduler.schedule("sweep", self._sweep, _SWEEP_EVERY)
        if queue.dialogue is not None and queue.dialogue.take(delivered):
            self.counts.in_flight += 1
            return
        if queue.deferred:
            queue.waiting.append(_deferred(delivered))
            queue.deferred += 1
            self.counts.deferred += 1
            return
        queue.waiting.append(delivered)
        self.counts.in_flight += 1
        if len(queue.waiting) == 1:
            self._make_ready(queue)

    def _make_ready(self, queue: _ChatQueue) -> None:
        """Add a queue to the ready queues, so that its first entry is handled when its turn comes."""
        if self._is_draining and self._is_account_waiting:  # it would have no turn any more
            self._drop(queue)
            return
        first = queue.waiting[0]
        crashes = first.crashes if isinstance(first, Deferred) else first.entry.crashes
        # An entry whose handler has failed in this process, and did not crash it, needs no isolation any more.
        (self._waiting_for_isolation if crashes >= _ISOLATED_FROM and not queue.attempt else self._ready).append(queue)

    def _defer_waiting(self) -> None:
        """Defer all entries that wait behind others of their chat."""
        for queue in self._queues.values():
            whole = range(1, len(queue.waiting) - queue.deferred)
            for index in whole:
                delivered = queue.waiting[index]
                assert not isinstance(delivered, Deferred)  # noqa: S101 - for the type checker: deferred entries come last
                queue.waiting[index] = _deferred(delivered)
            queue.deferred += len(whole)
            self.counts.deferred += len(whole)
            self.counts.in_flight -= len(whole)
        self._notify()

    async def _read_first(self, queue: _ChatQueue, deferred: Deferred) -> Delivered | None:
        """Return a deferred first entry as read from the journal; None when it was deleted meanwhile."""
        if deferred.number not in self._read_ahead:
            async with self._reading:
                if deferred.number not in self._read_ahead:  # another worker may have read it meanwhile
                    await self._read_next(queue)
        delivered = self._read_ahead.pop(deferred.number)
        queue.deferred -= 1
        self.counts.deferred -= 1
        if delivered is not None:
            queue.waiting[0] = delivered
        return delivered

    async def _read_next(self, queue: _ChatQueue) -> None:
        """Read the next deferred entries of all queues, among them the first one of this queue."""
        entries = self._next_deferred(queue)
        read = await use_journal(self._subscription.name, lambda: self._subscription.read_again(entries))
        for each in entries:
            self._read_ahead[each.number] = read.get(each.number)
        for number in list(islice(self._read_ahead, max(0, len(self._read_ahead) - self._limit))):
            del self._read_ahead[number]  # the oldest ones, whose chats are the slowest

    def _next_deferred(self, first: _ChatQueue) -> list[Deferred]:
        """Return the next deferred entries of each queue that were not read yet, beginning with those of `first`."""
        queues = [first, *(queue for queue in self._queues.values() if queue.deferred and queue is not first)]
        share = max(1, self._limit // len(queues))
        entries: list[Deferred] = []
        for queue in queues:
            begin = len(queue.waiting) - queue.deferred
            entries += (
                entry
                for entry in islice(queue.waiting, begin, begin + share)
                if isinstance(entry, Deferred) and entry.number not in self._read_ahead
            )
        return entries[: self._limit]

    # -- workers -------------------------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        """Start or wake one worker if there is work and none is starting."""
        if self._is_worker_starting or not self._may_start or not (self._waiting_for_isolation or self._ready):
            return
        self._is_worker_starting = True
        if self._idle:
            self._idle.pop().set_result(None)
        else:
            worker = self._loop.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._task_ended)

    @property
    def _may_start(self) -> bool:
        """Whether another queue may be started now."""
        return not (self._is_ended or self._is_account_waiting or self._isolated is not None)

    def _next_queue(self) -> _ChatQueue | None:
        """Take the next ready queue; return None if no queue may start now."""
        if not self._may_start:
            return None
        if self._waiting_for_isolation:
            self._isolated = self._waiting_for_isolation.popleft()
            return self._isolated
        return self._ready.popleft() if self._ready else None

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stop_for(error)

    def _stop_for(self, error: BaseException) -> None:
        """End `run` with the error of a task."""
        if not isinstance(error, Exception):  # it has stopped the loop, and its sender does not wait for handlers
            self._is_interrupted = True
            self._notify()
        elif self._run_task is not None:
            self._task_error = error
            self._run_task.cancel()

    async def _work(self) -> None:
        now = self._loop.time
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - for the type checker: this is a coroutine
        while True:
            self._is_worker_starting = False
            began_at = at = now()
            while (queue := self._next_queue()) is not None:
                if self._ready and not self._is_worker_starting:
                    self._start_worker()
                queue.worker = worker
                await self._handle_first(queue, at)
                if queue is self._isolated:
                    await self._end_isolation()
                at = now()
                if at - began_at > _TIME_SLICE:
                    if self._is_worker_starting:  # another worker continues after other tasks have run
                        break
                    await asyncio.sleep(0)
                    began_at = at = now()
            if self._is_ended or len(self._idle) >= _IDLE_WORKERS:
                return
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(waiter)
            await waiter

    async def _handle_first(self, queue: _ChatQueue, now: float) -> None:
        """Handle a queue's first entry, and make the queue ready again if it has more entries."""
        delivered = queue.waiting[0]
        if isinstance(delivered, Deferred):
            read = await self._read_first(queue, delivered)
            if read is None:  # deleted while it waited
                self._subscription.ack(delivered.number)
                self._finish_first(queue)
                return
            delivered, now = read, self._loop.time()
        number = delivered.entry.number
        attempt = queue.attempt or delivered.entry.attempt
        failure: BaseException | None = None
        is_acknowledged = False
        if number > self.last_handled:
            self.last_handled = number
        if queue is self._isolated:
            if not await self._begin_isolation(queue, delivered, attempt):
                return
            now = self._loop.time()
        queue.began_at = now
        if queue.dialogue is not None:
            queue.dialogue.begin_attempt()
        self._subscription.show(number)
        try:
            is_acknowledged = await self._handle(delivered, attempt)
        except BaseException as error:
            # Anything else that a handler raises is its failure, even a cancellation.
            if self._is_ended or isinstance(error, KeyboardInterrupt):
                raise
            failure = error
        queue.began_at = None
        if queue.worker is not None and queue.worker.cancelling():
            await self._undo_cancellation(queue.worker)
        if failure is not None and queue.dialogue is not None and queue.dialogue.is_interrupted:
            self._drop(queue)
        elif failure is not None:
            if queue is self._isolated:
                self._subscription.consumer.remove_poison_marker(number)
            await self._handle_failure(queue, number, attempt, failure)
        else:
            if not is_acknowledged:
                self._acknowledge(queue, number)
            self.counts.delivered += 1
            self._finish_first(queue)
        queue.is_reported = queue.is_timed_out = False

    def _acknowledge(self, queue: _ChatQueue, number: int) -> None:
        """Acknowledge a queue's first entry, and with it the answers to the questions of its handler."""
        if queue.dialogue is None:
            self._subscription.ack(number)
        else:
            self._subscription.consumer.commit([number, *(each.entry.number for each in queue.dialogue.answers)], [])

    async def _undo_cancellation(self, worker: asyncio.Task[None]) -> None:
        """Undo a cancellation that was meant for a handler, before the worker calls another one."""
        while worker.cancelling():
            worker.uncancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._is_ended:
                raise

    async def _handle_failure(self, queue: _ChatQueue, number: int, attempt: int, error: BaseException) -> None:
        """Count a failed attempt; schedule another one, or make the entry a dead letter."""
        if self._is_over():
            self._drop(queue)
            return
        if self._health is not None:
            match await self._health.judge(number, error):
                case FailureMeaning.WAITS:
                    self._wait_for_account(queue, number, attempt, error)
                    return
                case FailureMeaning.IS_REPEATED:
                    queue.attempt = attempt
                    self._retry_later(queue, pause_after(1))
                    return
                case FailureMeaning.COUNTS:
                    pass
        self.counts.failed += 1
        kind = f"no end within {self._time_limit:g} s" if queue.is_timed_out else describe(error)
        name = self._subscription.name
        failures = await use_journal(self._subscription.name, lambda: self._subscription.failed(number, kind))
        if failures >= self._attempts:
            await use_journal(self._subscription.name, lambda: self._subscription.give_up(number, kind))
            for each in queue.dialogue.answers if queue.dialogue is not None else ():
                self._subscription.ack(each.entry.number)
            self.counts.dead += 1
            _log.error(
                "%s: event %d is a dead letter after %d failures; the last one was %s",
                name, number, failures, self._reports.text(error, kind),
                extra=log_fields(name, event=number, chat=queue.chat),
            )  # fmt: skip
            self._finish_first(queue)
            return
        _log.warning(
            "%s: event %d failed (attempt %d of %d): %s",
            name, number, failures, self._attempts, self._reports.text(error, kind),
            extra=log_fields(name, event=number, chat=queue.chat),
        )  # fmt: skip
        queue.attempt = attempt + 1
        self._retry_later(queue, pause_after(failures))

    def _retry_later(self, queue: _ChatQueue, seconds: float) -> None:
        if self._is_draining:
            self._drop(queue)
        else:
            self._waiting_for_retry[queue] = self._loop.call_later(seconds, self._retry, queue)

    def _retry(self, queue: _ChatQueue) -> None:
        del self._waiting_for_retry[queue]
        self._make_ready(queue)
        self._start_worker()

    # -- failures of the account -------------------------------------------------------------------------------------

    def _wait_for_account(self, queue: _ChatQueue, number: int, attempt: int, error: BaseException) -> None:
        """Repeat an attempt, and start no other entry, once the account is well again; the failure does not count."""
        queue.attempt = attempt
        if self._is_draining:
            self._drop(queue)
            return
        self._waiting_for_account.append(queue)
        if self._is_account_waiting:
            return
        self._is_account_waiting = True
        self._resume_until = self._loop.time() + WAITS[-1]
        self._account_failures += 1
        if self._account_failures == 1:
            _log.warning(
                "%s: the account waits, because event %d failed and the account cannot send or store now: %s.",
                self._subscription.name, number, summarize(error),
                extra=log_fields(self._subscription.name, event=number, chat=queue.chat),
            )  # fmt: skip
        self._scheduler.schedule("account", self._resume, self._account_pause)

    @property
    def _account_pause(self) -> float:
        return WAITS[min(self._account_failures, len(WAITS)) - 1]

    async def _resume(self) -> float | None:
        """Start the queues again if the account is well; else return the seconds until the next look."""
        if self._health is not None:
            if not self._health.is_online and self._loop.time() < self._resume_until:
                return WAITS[0]
            if not await self._health.can_store():
                self._account_failures += 1
                return self._account_pause
        self._is_account_waiting = False
        waiting, self._waiting_for_account = self._waiting_for_account, []
        for queue in waiting:
            self._make_ready(queue)
        self._start_worker()
        return None

    def _end_failures(self, health: AccountHealth, entry: Delivered | Deferred) -> None:
        """Forget the failures of an entry that is done, and those of the account, which is well again."""
        health.forget(_number(entry))
        if self._account_failures and not self._is_account_waiting:
            self._account_failures = 0
            _log.info("%s: the account continues.", self._subscription.name)

    # -- the end of an entry -----------------------------------------------------------------------------------------

    def _finish_first(self, queue: _ChatQueue) -> None:
        """Remove a queue's first entry, and make the queue ready again if it has more entries."""
        entry, health = queue.waiting.popleft(), self._health
        if health is not None and (health.suspected or self._account_failures):
            self._end_failures(health, entry)
        queue.attempt, queue.has_waited_for_crashes = 0, False
        self._finished += 1
        if queue.dialogue is not None:
            answers, queue.dialogue = len(queue.dialogue.answers), None
            self._finished += answers
            self.counts.delivered += answers
            self.counts.in_flight -= answers
        if queue.deferred and len(queue.waiting) == queue.deferred and not self._is_draining:
            self._make_ready(queue)  # a deferred entry, which takes the place of the removed one in memory
        else:
            self.counts.in_flight -= 1
            if len(queue.waiting) > queue.deferred:
                self._make_ready(queue)
            elif queue.deferred:
                self._drop(queue)
            else:
                del self._queues[queue.chat]
        if self._change is not None:
            self._notify()

    def _drop(self, queue: _ChatQueue) -> None:
        """Remove a queue with its entries, which are not acknowledged and are delivered again later."""
        del self._queues[queue.chat]
        self.counts.in_flight -= len(queue.waiting) - queue.deferred
        if queue.dialogue is not None:
            self.counts.in_flight -= len(queue.dialogue.answers)
        self.counts.deferred -= queue.deferred
        self._notify()

    # -- questions -----------------------------------------------------------------------------------------------------

    async def ask(
        self,
        event: Event,
        send: Callable[[], Awaitable[object]],
        is_answer: Callable[[Event], Awaitable[bool]],
        timeout: float | None,  # noqa: ASYNC109 - a timeout of the answer, not of this function
        limit: asyncio.Timeout | None = None,
    ) -> TextMessage:
        """
        Send the question of a handler, and return the next text of the event's author in that chat.

        The answer does not wait behind the event in the queue. The wait does not count as time of the handler.

        Args:
            event: The event of the handler, which is being handled.
            send: Sends the question.
            is_answer: Returns whether a text is an answer; other texts are acknowledged.
            timeout: Seconds to wait for an answer; None: until the bot stops.
            limit: The handler's time limit, which pauses.

        Raises:
            NoAnswer: There was no answer in time.
            InvalidRequest: The handler has ended, or waits for another answer.
        """
        queue = self._queues.get(getattr(event, "chat", ContactId("")))
        first = queue.waiting[0] if queue is not None else None
        if queue is None or first is None or isinstance(first, Deferred) or first.event.number != event.number:
            raise InvalidRequest("The handler has ended; only a running handler can ask a question.")
        if queue.dialogue is None:
            queue.dialogue = Dialogue(event)
        dialogue = queue.dialogue
        is_again = queue.attempt or first.entry.redelivered
        newest = 0 if is_again else _number(queue.waiting[-1])
        await send()
        answer = dialogue.next_answer()
        if answer is None:
            elapsed, left = self._pause(queue, limit)
            places = 1 + len(dialogue.answers)
            self._entries_of_questions += places
            self._notify()
            try:
                answer = await self._wait_for_answer(queue, dialogue, newest, is_answer, timeout)
            finally:
                self._entries_of_questions -= places
                if queue.dialogue is dialogue:  # the handler still runs
                    queue.began_at = self._loop.time() - elapsed
                    if limit is not None and left is not None:
                        limit.reschedule(self._loop.time() + left)
            dialogue.add(answer)
        assert isinstance(answer.event, TextMessage)  # noqa: S101 - for the type checker: nothing else fits
        return answer.event

    def _pause(self, queue: _ChatQueue, limit: asyncio.Timeout | None) -> tuple[float, float | None]:
        """Stop the time of a handler; return the seconds that it has run, and those left of its time limit."""
        now = self._loop.time()
        elapsed = now - (queue.began_at or now)
        queue.began_at = None
        if queue is self._isolated:  # the other queues must not wait for an answer
            self._end_isolation_early(queue)
        ends_at = None if limit is None else limit.when()
        if limit is None or ends_at is None:
            return elapsed, None
        limit.reschedule(None)
        return elapsed, ends_at - now

    async def _wait_for_answer(
        self,
        queue: _ChatQueue,
        dialogue: Dialogue,
        newest: int,
        is_answer: Callable[[Event], Awaitable[bool]],
        timeout: float | None,  # noqa: ASYNC109 - the same
    ) -> Delivered:
        """Wait for an answer that arrives after the entry `newest`."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if self._is_draining:
                        self._interrupt(queue)
                    found = _take_waiting(queue, dialogue, newest) or await dialogue.wait()
                    number = found.entry.number
                    if await is_answer(found.event):
                        break
                    self._subscription.ack(number)
                    self.counts.in_flight -= 1
        except TimeoutError:
            raise NoAnswer("There was no answer in time.") from None
        self._subscription.show(number)
        self.last_handled = max(self.last_handled, number)
        return found

    def numbers_with(self, delivered: Delivered) -> list[int]:
        """Return the numbers of an entry that is being handled and of the answers to its handler's questions."""
        queue = self._queues.get(delivered.entry.chat)
        answers = () if queue is None or queue.dialogue is None else queue.dialogue.answers
        return [delivered.entry.number, *(each.entry.number for each in answers)]

    def _interrupt(self, queue: _ChatQueue) -> None:
        """Cancel a handler that waits for an answer."""
        if queue.dialogue is not None:
            queue.dialogue.interrupt()
        if queue.worker is not None:
            queue.worker.cancel()

    # -- poison messages -----------------------------------------------------------------------------------------------

    async def _begin_isolation(self, queue: _ChatQueue, delivered: Delivered, attempt: int) -> bool:
        """Store a poison marker, or give up an entry after too many crashes; return whether it may be handled."""
        number, crashes = delivered.entry.number, delivered.entry.crashes
        consumer = self._subscription.consumer
        grace = consumer.crash_grace
        if grace:
            crashes = await use_journal(self._subscription.name, lambda: consumer.recount_crashes(number))
        if crashes < _GIVEN_UP_FROM or attempt <= self._attempts:
            await use_journal(self._subscription.name, lambda: consumer.add_poison_marker(number))
            return True
        if grace and not queue.has_waited_for_crashes:
            queue.has_waited_for_crashes = True
            self._retry_later(queue, grace)
            return False
        kind = f"the process crashed {crashes} times while it was handled"
        await use_journal(self._subscription.name, lambda: self._subscription.give_up(number, kind))
        self.counts.dead += 1
        name = self._subscription.name
        _log.error(
            "%s: event %d is given up, since %s.", name, number, kind,
            extra=log_fields(name, event=number, chat=queue.chat),
        )  # fmt: skip
        self._finish_first(queue)
        return False

    async def _end_isolation(self) -> None:
        """Allow other entries to be handled again."""
        if (
            not self._waiting_for_isolation
        ):  # what is begun next stores no marker, and its crash must not count against this entry
            await use_journal(self._subscription.name, self._subscription.flush)
        self._isolated = None
        self._start_worker()

    def _end_long_isolation(self, queue: _ChatQueue, seconds: float) -> None:
        """Handle other entries beside an isolated one that takes long; from now on these may cause a crash as well."""
        if queue is self._isolated and seconds > ISOLATION_TIME:
            self._end_isolation_early(queue)

    def _end_isolation_early(self, queue: _ChatQueue) -> None:
        self._subscription.consumer.remove_poison_marker(_number(queue.waiting[0]))
        self._isolated = None
        self._start_worker()

    # -- slow handlers -------------------------------------------------------------------------------------------------

    async def _sweep(self) -> float | None:
        """Check for slow handlers and for a full memory; return the seconds until the next one, None if all is idle."""
        now = self._loop.time()
        for queue in self._queues.values():
            if queue.began_at is not None:
                self._check_time(queue, now - queue.began_at)
                self._end_long_isolation(queue, now - queue.began_at)
        is_full = self._room() <= 0 and self._subscription.is_synced_here  # a gateway reads no event again
        if is_full and self._finished - self._finished_before < self._limit:
            self._defer_waiting()
        self._finished_before = self._finished
        return _SWEEP_EVERY if self._queues else None

    def _check_time(self, queue: _ChatQueue, seconds: float) -> None:
        """Log a slow call of the handler, and cancel one that has passed the time limit."""
        if seconds > SLOW_AFTER and not queue.is_reported:
            queue.is_reported = True
            self.counts.slow += 1
            name, number = self._subscription.name, _number(queue.waiting[0])
            _log.warning(
                "%s: event %d has been in its handler for more than %d s.", name, number, SLOW_AFTER,
                extra=log_fields(name, event=number, chat=queue.chat),
            )  # fmt: skip
        is_too_long = self._time_limit is not None and seconds > self._time_limit
        if is_too_long and not queue.is_timed_out and queue.worker is not None:
            queue.is_timed_out = True
            queue.worker.cancel()

    # -- stopping ------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Wait for running handlers; start no further attempts."""
        self._is_draining = True
        await self._subscription.stop()
        for queue, timer in self._waiting_for_retry.items():
            timer.cancel()
            self._drop(queue)
        self._waiting_for_retry.clear()
        if self._is_account_waiting:
            for queue in (*self._waiting_for_account, *self._ready, *self._waiting_for_isolation):
                self._drop(queue)
            self._waiting_for_account.clear()
            self._ready.clear()
            self._waiting_for_isolation.clear()
        for queue in self._queues.values():
            if queue.dialogue is not None and queue.dialogue.is_waiting:
                self._interrupt(queue)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while self._queues and not self._is_interrupted:
                    await self._wait_for_change()

    async def _end(self) -> None:
        """Cancel workers that have not ended."""
        self._is_ended = True
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=_CANCEL_TIMEOUT)

    # -- waiting -------------------------------------------------------------------------------------------------------

    async def _wait_for_change(self) -> None:
        """Wait until there may be room for more entries, or no queue is left."""
        self._change = self._loop.create_future()
        try:
            await self._change
        finally:
            self._change = None

    def _notify(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


def pause_after(failures: int) -> float:
    """Return the seconds between a number of failed attempts and the next one."""
    return min(60.0, 4.0 ** (failures - 1))


def is_last_attempt(entry: Entry, attempt: int, attempts: int) -> bool:
    """Return whether an entry is given up when this attempt fails; attempts that were cut short do not count."""
    return attempt >= attempts and attempt - max(entry.crashes, int(entry.redelivered)) >= attempts


def _deferred(delivered: Delivered) -> Deferred:
    return Deferred(
        delivered.entry.number, delivered.entry.attempt, delivered.entry.redelivered, delivered.entry.crashes
    )


def _take_waiting(queue: _ChatQueue, dialogue: Dialogue, newest: int) -> Delivered | None:
    """Remove and return the first waiting entry after `newest` that may be an answer; None if no entry may be."""
    for place in range(1, len(queue.waiting) - queue.deferred):
        waiting = queue.waiting[place]
        if not isinstance(waiting, Deferred) and waiting.entry.number > newest and dialogue.fits(waiting):
            del queue.waiting[place]
            return waiting
    return None


def _number(waiting: Delivered | Deferred) -> int:
    return waiting.number if isinstance(waiting, Deferred) else waiting.entry.number
