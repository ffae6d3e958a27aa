"""
Lanes: entries of one consumer, handed to one handler.

Each chat has a lane, in which one entry is handled at a time, in the order of arrival; lanes go side by side. There is
no task per entry: workers take lanes from one queue, and each wakes one more before it calls the handler. A handler
that never waits thus costs no turn of the loop, and one that waits for long keeps nobody else waiting.

What is in memory is bounded, whatever arrives. When a second has passed without room for more, what waits behind other
entries of its chat is put down to its number, and read from the journal again when its turn comes: so one chat whose
handler hangs does not use up the room of all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import msgspec

from webwx.bot.failures import describe, trace
from webwx.client.retry import retry
from webwx.client.scheduler import Scheduler
from webwx.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from webwx.client.subscription import Delivered
    from webwx.model.contacts import ContactId
    from webwx.storage.base import Entry

    Handle = Callable[[Delivered, int], Awaitable[object]]
    """What is done with an entry; the number is the attempt's, from 1."""

T = TypeVar("T")

IN_FLIGHT = 1_000
"""Entries in memory at most: being handled, or waiting in a lane."""

NOTED = 100_000
"""Entries of which only the number is kept; further ones are left in the journal."""

SLOW = 30.0
"""Seconds after which a handler is reported."""

DRAIN = 10.0
"""Seconds for what is in flight when the end comes."""

ISOLATION_TIME = 5.0
"""Seconds for which a handler is called in isolation at most: nothing else is begun meanwhile."""

_ISOLATED_FROM = 2
"""Crashes of processes from which on an entry is handled in isolation: it may be a poison message."""

_GIVEN_UP_FROM = 3
"""Crashes from which on an entry is given up: one of these processes handled it in isolation."""

_SLICE = 0.0001
"""
Seconds of a worker's own work after which others get their turn: what comes next is asked for while this is handled.
"""

_LAST_WORDS = 0.5
"""Seconds that a cancelled handler may take to end."""

_SWEEP_EVERY = 1.0
"""Seconds between two looks at handlers that take long."""

_IDLE_WORKERS = 16
"""Workers kept after many have been busy at once."""

_log = logging.getLogger("webwx.bot")


class Source(Protocol):
    """What lanes take from, such as a `Subscription`."""

    name: str

    async def take(self, limit: int = ...) -> list[Delivered]:
        """Give the next entries; waits until there is one. An empty list says that no more will come."""
        ...

    async def again(self, number: int, *, attempt: int, redelivered: bool, crashes: int) -> Delivered | None:
        """Give one once more that was taken; None when it was deleted meanwhile."""
        ...

    def show(self, number: int) -> None:
        """Note that the handler is called with an entry now."""
        ...

    def ack(self, number: int) -> None:
        """Note that an entry is done with."""
        ...

    async def failed(self, number: int, error: str) -> int:
        """Note that an attempt has failed; gives how many have."""
        ...

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter."""
        ...

    async def add_poison_marker(self, number: int) -> None:
        """Store a poison marker: a crash from now on counts against this entry."""
        ...

    def remove_poison_marker(self, number: int) -> None:
        """Remove the poison marker."""
        ...

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        ...

    async def stop(self) -> None:
        """Fetch nothing any more; what was taken can still be acknowledged."""
        ...


class Counts(msgspec.Struct, kw_only=True):
    """What has become of the entries so far."""

    delivered: int = 0
    """Done with; with those that are not for the handler."""
    failed: int = 0
    """Attempts that have failed."""
    dead: int = 0
    """Delivered up after the last attempt."""
    slow: int = 0
    """Calls of the handler that took longer than 30 s."""
    in_flight: int = 0
    """In memory now: being handled, waiting in a lane, or waiting for another attempt."""
    noted: int = 0
    """Waiting behind a slow chat, only the number in memory."""


class _Note(NamedTuple):
    """What is kept of an entry that has to wait."""

    number: int
    attempt: int
    redelivered: bool
    crashes: int


class _ChatQueue:
    """What waits in one chat; the first is being handled, or is the next."""

    __slots__ = ("attempt", "begun", "chat", "is_over_limit", "is_reported", "noted", "waiting", "worker")

    def __init__(self, chat: ContactId) -> None:
        self.chat = chat
        self.waiting: deque[Delivered | _Note] = deque()
        self.noted = 0
        """How many of them are notes; then all further ones become notes as well, so that their order is kept."""
        self.attempt = 0
        """Of the first, once it has failed."""
        self.begun: float | None = None
        """When the handler was called that is still running."""
        self.is_reported = False
        self.is_over_limit = False
        self.worker: asyncio.Task[None] | None = None


class ChatQueues:
    """
    One consumer's lanes.

    Args:
        source: Where entries come from.
        handle: What is done with each.
        attempts: How often an entry is tried before it becomes a dead letter.
        in_flight: How many entries may be in memory.
        time_limit: Seconds after which the handler is cancelled, which counts as a failure.
        is_over: Says whether attempts fail for a reason that is not the entry's, such as the end of the login: then
            nothing is counted, and the entry comes again another time.
        counts: Where to count; its owner may read it at any time.
        debug: Log the messages of exceptions, which may hold text of a chat.
    """

    def __init__(
        self,
        source: Source,
        handle: Handle,
        *,
        attempts: int = 3,
        in_flight: int = IN_FLIGHT,
        time_limit: float | None = None,
        is_over: Callable[[], bool] = lambda: False,
        counts: Counts | None = None,
        debug: bool = False,
    ) -> None:
        self.counts: Counts = counts or Counts()
        self.shown: int = 0
        """The highest number that the handler was called with."""
        self._source = source
        self._handle = handle
        self._attempts = attempts
        self._limit = in_flight
        self._time_limit = time_limit
        self._is_over = is_over
        self._is_debug = debug
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[ContactId, _ChatQueue] = {}
        self._ready: deque[_ChatQueue] = deque()
        self._waiting_for_isolation: deque[_ChatQueue] = deque()
        """Lanes whose first entry is handled in isolation; they come before the others, one by one."""
        self._isolated: _ChatQueue | None = None
        """The one of these that is handled now; nothing else is begun."""
        self._paused: dict[_ChatQueue, asyncio.TimerHandle] = {}
        """Lanes that wait for another attempt."""
        self._workers: set[asyncio.Task[None]] = set()
        self._scheduler = Scheduler(lambda _, error: self._stop_for(error))
        self._idle: list[asyncio.Future[None]] = []
        self._is_waking = False
        """A worker is on its way, and will look at the queue."""
        self._is_draining = False
        self._is_ended = False
        self._change: asyncio.Future[None] | None = None
        """What `run` waits for: room, or the end of all work."""
        self._main: asyncio.Task[object] | None = None
        self._crash: Exception | None = None
        """What ended a task of ours, and so must end all."""
        self._done = 0
        self._done_before = 0

    async def run(self) -> None:
        """
        Hand out entries until it is cancelled, or the source raises, or has no more.

        Then nothing more is taken, what is in flight gets ten seconds to end, and a cancellation or an error goes on.
        A second cancellation does not wait for it: whatever has not ended is not acknowledged.
        """
        self._main = asyncio.current_task()
        self._scheduler.schedule("sweep", self._sweep, _SWEEP_EVERY)
        try:
            try:
                await self._pull()
            finally:
                if self._crash is None:
                    await self._drain()
        except asyncio.CancelledError:
            if self._crash is None or self._main is None:
                raise
            self._main.uncancel()
            raise self._crash from None
        finally:
            await self._scheduler.close()
            await self._end()

    # -- taking ------------------------------------------------------------------------------------------------------

    async def _pull(self) -> None:
        while True:
            while (room := self._limit - self.counts.in_flight) <= 0 or self.counts.noted >= NOTED:
                await self._changed()
            taken = await self._store(lambda: self._source.take(room))
            if not taken:
                return
            for given in taken:
                self._put(given)
            self._wake()

    def _put(self, given: Delivered) -> None:
        chat = given.entry.chat
        lane = self._lanes.get(chat)
        if lane is None:
            lane = self._lanes[chat] = _ChatQueue(chat)
        if lane.noted:
            lane.waiting.append(_note(given))
            lane.noted += 1
            self.counts.noted += 1
            return
        lane.waiting.append(given)
        self.counts.in_flight += 1
        if len(lane.waiting) == 1:
            self._line_up(lane)

    def _line_up(self, lane: _ChatQueue) -> None:
        """Have a lane's first entry handled when its turn comes."""
        first = lane.waiting[0]
        crashes = first.crashes if isinstance(first, _Note) else first.entry.crashes
        # An entry whose handler has failed in this process, and did not crash it, needs no isolation any more.
        (self._waiting_for_isolation if crashes >= _ISOLATED_FROM and not lane.attempt else self._ready).append(lane)

    def _note_down(self) -> None:
        """Keep only the numbers of all that waits behind others."""
        for lane in self._lanes.values():
            whole = range(1, len(lane.waiting) - lane.noted)
            for index in whole:
                given = lane.waiting[index]
                assert not isinstance(given, _Note)  # noqa: S101 - for the type checker: notes come last
                lane.waiting[index] = _note(given)
            lane.noted += len(whole)
            self.counts.noted += len(whole)
            self.counts.in_flight -= len(whole)
        self._tell()

    async def _read_first(self, lane: _ChatQueue, note: _Note) -> Delivered | None:
        """Read a lane's first entry again, of which only the number was kept."""
        given = await self._store(
            lambda: self._source.again(
                note.number, attempt=note.attempt, redelivered=note.redelivered, crashes=note.crashes
            )
        )
        lane.noted -= 1
        self.counts.noted -= 1
        if given is not None:
            lane.waiting[0] = given
        return given

    # -- working -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """See to it that a worker looks at the queue."""
        if self._is_waking or self._isolated is not None or not (self._waiting_for_isolation or self._ready):
            return
        self._is_waking = True
        if self._idle:
            self._idle.pop().set_result(None)
        else:
            worker = self._loop.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._task_ended)

    def _next_lane(self) -> _ChatQueue | None:
        """Take the lane whose turn it is; None when there is none to begin with."""
        if self._isolated is not None:
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
        if isinstance(error, Exception) and self._main is not None:  # an interrupt has stopped the loop already
            self._crash = error
            self._main.cancel()

    async def _work(self) -> None:
        now = self._loop.time
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - for the type checker: this is a coroutine
        while True:
            self._is_waking = False
            begun = at = now()
            while (lane := self._next_lane()) is not None:
                if self._ready and not self._is_waking:
                    self._wake()
                lane.worker = worker
                await self._handle_first(lane, at)
                if lane is self._isolated:
                    await self._end_isolation()
                at = now()
                if at - begun > _SLICE:
                    if self._is_waking:  # another worker goes on, after whatever else is due
                        break
                    await asyncio.sleep(0)
                    begun = at = now()
            if len(self._idle) >= _IDLE_WORKERS:
                return
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(waiter)
            await waiter

    async def _handle_first(self, lane: _ChatQueue, now: float) -> None:
        """Handle a lane's first entry, and put the lane back when more waits."""
        given = lane.waiting[0]
        if isinstance(given, _Note):
            read = await self._read_first(lane, given)
            if read is None:  # deleted while it waited
                self._source.ack(given.number)
                self._next(lane)
                return
            given, now = read, self._loop.time()
        number = given.entry.number
        attempt = lane.attempt or given.entry.attempt
        failure: BaseException | None = None
        if number > self.shown:
            self.shown = number
        if lane is self._isolated:
            if not await self._begin_isolation(lane, given, attempt):
                return
            now = self._loop.time()
        lane.begun = now
        self._source.show(number)
        try:
            await self._handle(given, attempt)
        except BaseException as error:
            # These two are ours; whatever else a handler raises is its own, even a cancellation.
            if self._is_ended or isinstance(error, KeyboardInterrupt):
                raise
            failure = error
        lane.begun = None
        if lane.worker is not None and lane.worker.cancelling():
            await self._stay(lane.worker)
        if failure is not None:
            self._source.remove_poison_marker(number)
            await self._take_failure(lane, number, attempt, failure)
        else:
            self._source.ack(number)
            self.counts.delivered += 1
            self._next(lane)
        lane.is_reported = lane.is_over_limit = False

    async def _stay(self, worker: asyncio.Task[None]) -> None:
        """Undo a cancellation that was meant for a handler, before it meets another one."""
        while worker.cancelling():
            worker.uncancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._is_ended:
                raise

    async def _take_failure(self, lane: _ChatQueue, number: int, attempt: int, error: BaseException) -> None:
        """Try again later, or give up."""
        if self._is_over():
            self._drop(lane)
            return
        self.counts.failed += 1
        kind = f"no end within {self._time_limit:g} s" if lane.is_over_limit else describe(error)
        name = self._source.name
        failures = await self._store(lambda: self._source.failed(number, kind))
        if failures >= self._attempts:
            await self._store(lambda: self._source.give_up(number, kind))
            self.counts.dead += 1
            _log.error(
                "%s: event %d is a dead letter after %d failures; the last one was %s.\n%s",
                name, number, failures, kind, trace(error, with_messages=self._is_debug),
            )  # fmt: skip
            self._next(lane)
            return
        _log.warning(
            "%s: event %d failed (attempt %d of %d): %s.\n%s",
            name, number, failures, self._attempts, kind, trace(error, with_messages=self._is_debug),
        )  # fmt: skip
        lane.attempt = attempt + 1
        if self._is_draining:
            self._drop(lane)
        else:
            pause = min(60.0, 4.0 ** (failures - 1))
            self._paused[lane] = self._loop.call_later(pause, self._try_again, lane)

    def _try_again(self, lane: _ChatQueue) -> None:
        del self._paused[lane]
        self._line_up(lane)
        self._wake()

    def _next(self, lane: _ChatQueue) -> None:
        """Be done with a lane's first entry."""
        lane.waiting.popleft()
        lane.attempt = 0
        self._done += 1
        if lane.noted and len(lane.waiting) == lane.noted and not self._is_draining:
            self._line_up(lane)  # a note, which takes the room of the one that is done
        else:
            self.counts.in_flight -= 1
            if len(lane.waiting) > lane.noted:
                self._line_up(lane)
            elif lane.noted:
                self._drop(lane)
            else:
                del self._lanes[lane.chat]
        if self._change is not None:
            self._tell()

    def _drop(self, lane: _ChatQueue) -> None:
        """Let go of a lane; what is left in it is not acknowledged, and comes again another time."""
        del self._lanes[lane.chat]
        self.counts.in_flight -= len(lane.waiting) - lane.noted
        self.counts.noted -= lane.noted
        self._tell()

    # -- poison messages ---------------------------------------------------------------------------------------------

    async def _begin_isolation(self, lane: _ChatQueue, given: Delivered, attempt: int) -> bool:
        """Store a poison marker, or give up an entry after too many crashes; return whether it may be handled."""
        number, crashes = given.entry.number, given.entry.crashes
        if crashes < _GIVEN_UP_FROM or attempt <= self._attempts:
            await self._store(lambda: self._source.add_poison_marker(number))
            return True
        kind = f"the process died {crashes} times while it was handled"
        await self._store(lambda: self._source.give_up(number, kind))
        self.counts.dead += 1
        _log.error("%s: event %d is given up, since %s.", self._source.name, number, kind)
        self._next(lane)
        return False

    async def _end_isolation(self) -> None:
        """Begin with other entries again."""
        if (
            not self._waiting_for_isolation
        ):  # what is begun next stores no marker, and its crash must not count against this entry
            await self._store(self._source.flush)
        self._isolated = None
        self._wake()

    def _end_long_isolation(self, lane: _ChatQueue, seconds: float) -> None:
        """Begin with other entries beside one that takes long; from now on a crash may be caused by these."""
        if lane is self._isolated and seconds > ISOLATION_TIME:
            self._source.remove_poison_marker(_number(lane.waiting[0]))
            self._isolated = None
            self._wake()

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _sweep(self) -> float:
        """Look at who takes long, and whether anything moves at all; return the seconds until the next look."""
        now = self._loop.time()
        for lane in self._lanes.values():
            if lane.begun is not None:
                self._look_at(lane, now - lane.begun)
                self._end_long_isolation(lane, now - lane.begun)
        is_full = self.counts.in_flight >= self._limit
        if is_full and self._done - self._done_before < self._limit:
            self._note_down()
        self._done_before = self._done
        return _SWEEP_EVERY

    def _look_at(self, lane: _ChatQueue, seconds: float) -> None:
        """Report a call of the handler that takes long, and end one that takes too long."""
        if seconds > SLOW and not lane.is_reported:
            lane.is_reported = True
            self.counts.slow += 1
            _log.warning(
                "%s: event %d has been in its handler for more than %d s.",
                self._source.name, _number(lane.waiting[0]), SLOW,
            )  # fmt: skip
        is_too_long = self._time_limit is not None and seconds > self._time_limit
        if is_too_long and not lane.is_over_limit and lane.worker is not None:
            lane.is_over_limit = True
            lane.worker.cancel()

    # -- ending ------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let what is in flight end, but wait for no further attempt."""
        self._is_draining = True
        await self._source.stop()
        for lane, timer in self._paused.items():
            timer.cancel()
            self._drop(lane)
        self._paused.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                while self._lanes:
                    await self._changed()

    async def _end(self) -> None:
        """Cancel what has not ended."""
        self._is_ended = True
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=_LAST_WORDS)

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def _changed(self) -> None:
        """Wait until there may be room, or nothing left to do."""
        self._change = self._loop.create_future()
        try:
            await self._change
        finally:
            self._change = None

    def _tell(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _store(self, write: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Use the journal, and retry until it succeeds; log the first failure."""

        def is_worth_it(error: StorageError, failures: int) -> bool:
            if failures == 1:
                _log.error("%s: the journal fails, and is tried until it does not: %s", self._source.name, error)
            return True

        return await retry(write, StorageError, is_worth_it=is_worth_it)


def is_last(entry: Entry, attempt: int, attempts: int) -> bool:
    """Say whether an entry is given up when this attempt fails; one that was cut short is no failure."""
    return attempt >= attempts and attempt - max(entry.crashes, int(entry.redelivered)) >= attempts


def _note(given: Delivered) -> _Note:
    return _Note(given.entry.number, given.entry.attempt, given.entry.redelivered, given.entry.crashes)


def _number(waiting: Delivered | _Note) -> int:
    return waiting.number if isinstance(waiting, _Note) else waiting.entry.number
