"""
The sync loop of one account: it polls, fetches, and stores batch after batch.

Without a journal a reader of events drives it. With one a task in the background does, for any number of readers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from webwx.client.poll_interval import HELD_FROM
from webwx.client.retry import Backoff
from webwx.client.state import STALE_AFTER
from webwx.client.suspend import pause, until_wake
from webwx.client.sync.counter_check import CounterCheck
from webwx.client.sync.missing_messages import MissingMessages
from webwx.client.sync.refused_fetches import REFUSED_FOR, RefusedFetches
from webwx.errors import (
    AnswerTooLarge,
    ApiError,
    LoggedOut,
    MessagesMissing,
    NotOnThisHost,
    ProtocolError,
    StorageError,
    TransportError,
)
from webwx.flows import login as login_flows
from webwx.flows import sync as sync_flows
from webwx.flows.sync import Batch
from webwx.model.events import ContinuityLost, item_of
from webwx.protocol.codes import Ret
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession, Moment
    from webwx.client.poll_interval import PollInterval
    from webwx.client.sync.archive import MediaArchive
    from webwx.client.sync.sync_cursor import SyncCursor
    from webwx.protocol.sync import SyncKey

_log = logging.getLogger("webwx.client")

_NOT_OF_THE_KEY = frozenset({Ret.PHONE_OFFLINE, Ret.TOO_FREQUENT})
"""Refusals of a fetch that do not mean an invalid key; ret 3 was observed for two hours."""


class BatchStore(Protocol):
    """Storage of the batches of a sync loop."""

    needs_body: bool
    """Whether the bytes of a response are stored as well."""

    async def store(self, batch: Batch, began: float) -> bool:
        """
        Store a batch together with its next position; return whether more may wait.

        Args:
            batch: The batch.
            began: Seconds since 1970 (server's clock); older messages are backlog.

        Raises:
            StorageError: The batch was not stored, or the outcome is unknown.
        """
        ...


class SyncState:
    """State of one account's sync in this process."""

    def __init__(self) -> None:
        self.readers = 0
        """Number of open subscriptions."""
        self.lock = contextlib.AsyncExitStack()
        """Holds the account's sync lock, so that no other process syncs this login."""
        self.work: asyncio.Task[None] | None = None
        """Task that polls in the background."""
        self.archive: MediaArchive | None = None
        """Archive that fetches media as they arrive."""
        self.ahead: asyncio.Task[bool] | None = None
        """Task of a poll that was sent before its result is needed."""
        self.fetching = asyncio.Lock()
        """Held during a fetch, because the sync keys do not allow two fetches at once."""
        self.began = 0.0
        """Time at which the first reader came: seconds since 1970 (machine's clock)."""
        self.began_there: float | None = None
        """Time at which the first reader came: seconds since 1970 (server's clock); None until the first answer."""
        self.answered_at = 0.0
        """Time of the last successful poll or fetch (event loop's clock)."""
        self.fetched_at = 0.0
        """Time of the last successful fetch: seconds since 1970 (server's clock)."""
        self.announced_at: float | None = None
        """Time at which a poll reported what is not fetched yet (event loop's clock); None: everything is fetched."""
        self.round_began: Moment | None = None
        """Time at which the last round began."""
        self.held = 0.0
        """Seconds that the server held the last poll."""
        self.has_more = False
        """Whether the last batch reported that more items wait."""
        self.unstored: Batch | None = None
        """A fetched batch that is not stored yet; it blocks further fetches."""
        self.unstored_from: tuple[SyncKey, SyncKey] | None = None
        """Both sync keys at the fetch of `unstored`."""
        self.refused = RefusedFetches()
        """Fetches that were refused or too large since the last readable one."""
        self.missing = MissingMessages()
        """Fetches whose answers hold fewer messages than they announce."""
        self.forget_keys()

    def forget_keys(self) -> None:
        """Accept the next sync keys as a whole."""
        self.fetch_counters, self.check_counters = CounterCheck(), CounterCheck()


class SyncLoop:
    """
    Polls for one account, fetches batches, and passes each to its store.

    Args:
        session: The account's session.
        storage: The account's storage.
        cursor: Finds the account's place in the journal.
        batches: Stores each batch.
        interval: The interval between rounds, which `batches` updates as well.
        make_archive: Makes the media archive; None: media are not archived.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        cursor: SyncCursor,
        batches: BatchStore,
        interval: PollInterval,
        make_archive: Callable[[], MediaArchive] | None,
    ) -> None:
        self.joining: asyncio.Lock = asyncio.Lock()
        """Held while a subscription opens or closes."""
        self._session = session
        self._storage = storage
        self._cursor = cursor
        self._batches = batches
        self._interval = interval
        self._make_archive = make_archive
        self._state = SyncState()

    @property
    def work(self) -> asyncio.Task[None] | None:
        """The task that polls in the background; None before the first one."""
        return self._state.work

    def forget(self) -> None:
        """Drop the unstored batch of the present login, and what its failures have counted."""
        state = self._state
        state.unstored = state.announced_at = None
        state.has_more = False
        state.refused = RefusedFetches()
        state.missing = MissingMessages()
        state.forget_keys()

    # -- one reader, without a journal -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin to sync for one reader, which holds the account's sync lock."""
        self._begin_round()
        self._end_catch_up()
        self._drop_stored()

    def _end_catch_up(self) -> None:
        """Note that nothing waits at the server, or that reading begins."""
        self._interval.end_catch_up()
        self._state.fetch_counters.end_catch_up()
        self._state.check_counters.end_catch_up()

    def _begin_round(self) -> None:
        self._state.fetched_at, self._state.answered_at = self._session.now(), asyncio.get_running_loop().time()

    @property
    def last_poll(self) -> float:
        """Seconds that the server held the last poll; 0 before the first one."""
        return self._state.held

    async def poll_ahead(self) -> None:
        """Send the next poll while the events of the last one are delivered."""
        self._state.ahead = asyncio.get_running_loop().create_task(self._check())
        await asyncio.sleep(0)

    async def drop_poll(self) -> None:
        """End polling: cancel a poll whose result is not needed any more."""
        self._session.liveness.stop_polling()
        ahead, self._state.ahead = self._state.ahead, None
        if ahead is not None:
            ahead.cancel()  # this also drops the error of a failed poll, which the next poll meets again
            await asyncio.wait([ahead])

    # -- many readers, with a journal --------------------------------------------------------------------------------

    async def join(self) -> None:
        """
        Count one more reader of the account; the first one takes the account's sync lock.

        Raises:
            AlreadyRunning: Another process is syncing this login.
            StorageError: The journal cannot be read.
        """
        state, session = self._state, self._session
        if not state.readers:
            async with contextlib.AsyncExitStack() as held:
                await held.enter_async_context(session.store.syncing())
                saved = await session.catch_up()  # another process may have synced this login last
                state.began, state.began_there = session.clock(), None
                self._begin_round()
                await self._cursor.find()
                self._drop_stored()
                if saved is not None and saved.pending:  # saved by a client without a journal
                    login = session.login
                    leftover = Batch(
                        items=saved.pending, fetch_key=login.fetch_key, check_key=login.check_key, skey="",
                        has_more=False,
                    )  # fmt: skip
                    await self._batches.store(leftover, 0.0)
                    await session.save(pending=())
                self._end_catch_up()
                state.lock = held.pop_all()
        state.readers += 1

    async def leave(self) -> None:
        """Count one reader less; end the sync after the last one."""
        state = self._state
        state.readers -= 1
        if not state.readers:
            async with state.lock:
                await self.stop()
                await self._session.save_changes()

    def start(self) -> None:
        """Begin to poll in the background."""
        state = self._state
        if state.work is None or state.work.done():
            state.work = asyncio.get_running_loop().create_task(self.pull(lambda: False))
            state.work.add_done_callback(lambda _: self._storage.notify())

    async def stop(self) -> None:
        """Stop the background tasks; open subscriptions end."""
        self._session.liveness.stop_polling()
        if self._state.archive is not None:
            await self._state.archive.stop()
        work = self._state.work
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # subscriptions raise the error, so asyncio must not log it as unhandled

    async def begin_archiving(self) -> None:
        """Begin to fetch media as they arrive, if the client has an archive."""
        archive = self._state.archive
        if self._make_archive is not None and (archive is None or not archive.is_at_work):
            if archive is not None:
                await archive.stop()
            self._state.archive = archive = self._make_archive()
            await archive.begin()

    async def wait_for_archive(self) -> None:
        """Return once the received media are archived or given up."""
        if self._state.archive is not None:
            await self._state.archive.caught_up()

    # -- polls and fetches -------------------------------------------------------------------------------------------

    async def pull(self, is_enough: Callable[[], bool]) -> None:
        """Poll, fetch and store batches until `is_enough` returns True."""
        backoff = self.backoff()
        while not is_enough():
            is_fetch = False
            try:
                await self._keep_distance()
                is_fetch = await self._is_fetch_due()
                if is_fetch:
                    await (self._start_over() if self._is_key_lost() else self._fetch_batch())
                backoff.reset()
            except (LoggedOut, NotOnThisHost):
                raise
            except TimeoutError:  # the machine was suspended, and the connection is dead
                backoff.reset()
            except (TransportError, ProtocolError, ApiError) as error:
                self._note_failure(error, is_fetch=is_fetch)
                await backoff.pause()
            except StorageError as error:
                if not self._storage.has_journal:
                    raise
                self._session.liveness.cannot_store(error)
                await backoff.pause()
                with contextlib.suppress(StorageError):  # the batch may have been stored despite the error
                    await self._cursor.follow()
                    self._drop_stored()
                    self._storage.notify()

    async def _keep_distance(self) -> None:
        """Wait until the next round may begin."""
        state = self._state
        if state.round_began is not None and self._interval.seconds:
            rest = self._interval.seconds - self._session.seconds_since(state.round_began)
            if rest > 0:
                await pause(rest, self._session.clock)
        state.round_began = self._session.moment()

    async def _is_fetch_due(self) -> bool:
        """Return whether to fetch; poll if the state does not decide it."""
        state = self._state
        if state.unstored is not None or state.has_more or state.missing.is_waiting:
            return True
        is_something = await self._next_poll()
        is_held = state.held >= HELD_FROM
        if is_held:
            self._end_catch_up()
        if is_something and state.announced_at is None:
            state.announced_at = asyncio.get_running_loop().time()
        # While fetches fail, only a fetch shows whether they succeed again.
        if is_something or not self._session.liveness.can_fetch:
            return True
        if is_held:
            return False
        if self._interval.is_long_idle:
            return True
        self._interval.count_idle_poll()
        return False

    async def _next_poll(self) -> bool:
        """Wait for the next poll, which may have been sent already; return whether there is something to fetch."""
        ahead, self._state.ahead = self._state.ahead, None
        return await (self._check() if ahead is None else ahead)

    async def _check(self) -> bool:
        begun = self._session.moment()
        async with until_wake(self._session.clock):
            is_something = await self._session.run(sync_flows.check(self._session.login, self._session.now()))
        self._state.held = self._session.seconds_since(begun)
        self._note_answer()
        return is_something

    async def _fetch_batch(self) -> bool:
        """
        Store the held batch, or fetch one and store it; return whether more may wait.

        Raises:
            MessagesMissing: The answer holds fewer messages than it announces; the position has not moved.
        """
        state = self._state
        async with state.fetching:
            if state.unstored is None:
                async with until_wake(self._session.clock):
                    flow = sync_flows.fetch(
                        self._session.login, self._session.now(), with_body=self._batches.needs_body
                    )
                    batch = await self._session.run(flow)
                self._note_answer()
                state.refused = RefusedFetches()
                batch = await self._completed(batch)
                self._session.liveness.fetched()
                state.fetched_at, state.announced_at = self._session.now(), None
                self._hold(self._with_sound_keys(batch))
            return await self._store_held()

    async def _completed(self, batch: Batch) -> Batch:
        """
        Return a batch that can be stored: with a gap, if messages are missing that were waited for.

        Raises:
            MessagesMissing: Messages are missing, and the position is to be fetched again.
        """
        session, state = self._session, self._state
        try:
            is_given_up = state.missing.is_given_up(session.login.fetch_key, batch, asyncio.get_running_loop().time())
        except MessagesMissing:
            if batch.skey:  # the next fetch needs it
                session.change(credentials=msgspec.structs.replace(session.login.credentials, skey=batch.skey))
                await session.save()
            raise
        if not is_given_up:
            return batch
        gap = ContinuityLost(since=state.fetched_at, until=session.now(), reason="messages_missing")
        return msgspec.structs.replace(batch, items=(item_of(gap), *batch.items))

    def _with_sound_keys(self, batch: Batch) -> Batch:
        """Return a batch with keys in which a counter that goes back is ignored once."""
        state, login = self._state, self._session.login
        has_messages = any(item.kind == "message" for item in batch.items)
        fetch_key = state.fetch_counters.accept(batch.fetch_key, login.fetch_key, has_messages=has_messages)
        if state.fetch_counters.has_followed:
            self._interval.begin_again()
        return msgspec.structs.replace(
            batch, fetch_key=fetch_key, check_key=state.check_counters.accept(batch.check_key, login.check_key)
        )

    async def fetch_waiting(self) -> bool:
        """Fetch waiting items without a poll; return False if no more are expected."""
        await self._keep_distance()
        backoff = self.backoff()
        while True:
            try:
                may_wait = await self._fetch_batch()
            except MessagesMissing:
                await backoff.pause()
            else:
                may_wait = may_wait or self._state.has_more or self._state.fetch_counters.is_ignoring
                return may_wait and not self._interval.is_long_idle

    def _hold(self, batch: Batch) -> None:
        """Hold a batch until it is stored."""
        self._state.unstored, self._state.unstored_from = batch, self._keys()

    def _keys(self) -> tuple[SyncKey, SyncKey]:
        return self._session.login.fetch_key, self._session.login.check_key

    def _drop_stored(self) -> None:
        """Drop the held batch if the position has moved: it was stored here, or another process has fetched it."""
        if self._state.unstored_from != self._keys():
            self._state.unstored = None

    async def _store_held(self) -> bool:
        """
        Store the held batch; return whether more may wait.

        Raises:
            StorageError: The batch is not stored, and stays held.
        """
        state = self._state
        batch = state.unstored
        assert batch is not None  # noqa: S101 - for the type checker: the caller has checked it
        self._state.has_more = batch.has_more
        may_wait = await self._batches.store(batch, state.began_there or 0.0)
        self._session.liveness.stored()
        state.unstored = None
        return may_wait

    def _note_answer(self) -> None:
        state = self._state
        self._session.liveness.polled(self._session.now())
        state.answered_at = asyncio.get_running_loop().time()
        if state.began_there is None:
            state.began_there = state.began + self._session.login.clock_skew

    def _note_failure(self, error: TransportError | ProtocolError | ApiError, *, is_fetch: bool) -> None:
        state, now = self._state, asyncio.get_running_loop().time()
        ret = error.ret if isinstance(error, ApiError) else None
        is_certain = ret == Ret.PHONE_OFFLINE or now - state.answered_at > STALE_AFTER
        if is_fetch:
            is_overdue = state.announced_at is not None and now - state.announced_at > STALE_AFTER
            self._session.liveness.fetch_failed(error, is_certain=is_certain or is_overdue)
        else:
            self._session.liveness.failed(error, is_stale=is_certain)
        # Ret 3 may last for hours, and does not mean an invalid key.
        if not isinstance(error, AnswerTooLarge | ApiError) or ret in _NOT_OF_THE_KEY:
            return
        if error.endpoint == WEBWXSYNC.name:
            is_too_large = isinstance(error, AnswerTooLarge)
            if state.refused.note(now, is_too_large=is_too_large) and is_too_large:
                _log.warning("%s It is fetched again; after %.0f s its items are given up.", error, REFUSED_FOR)

    def _is_key_lost(self) -> bool:
        """Return whether fetches were refused again and again while polls succeeded."""
        return self._state.refused.is_given_up(asyncio.get_running_loop().time())

    async def _start_over(self) -> bool:
        """Request a new sync key after fetches were unreadable for too long, and store an event for the gap."""
        reply = await self._session.run(login_flows.open_session(self._session.login, self._session.now()))
        gap = ContinuityLost(
            since=self._state.fetched_at, until=self._session.now(),
            reason="answer_too_large" if self._state.refused.is_too_large else "key_refused",
        )  # fmt: skip
        self._state.refused = RefusedFetches()
        self._state.forget_keys()
        key = reply.sync_key.or_older(self._session.login.fetch_key)
        self._hold(
            Batch(
                items=(item_of(gap),), fetch_key=key, check_key=key, skey=reply.skey, has_more=False,
            )
        )  # fmt: skip
        return await self._store_held()

    def backoff(self) -> Backoff:
        """Return the delays of one loop, which end early when the machine wakes from a suspend."""
        return Backoff(sleep=partial(pause, clock=self._session.clock))

    def storage_failed(self, error: StorageError) -> None:
        """Report a failure of the journal in the client's state."""
        self._session.liveness.cannot_store(error)
