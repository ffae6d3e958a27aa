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
from webwx.errors import (
    AnswerTooLarge,
    ApiError,
    LoggedOut,
    NotOnThisHost,
    ProtocolError,
    StorageError,
    TransportError,
)
from webwx.flows import login as login_flows
from webwx.flows import sync as sync_flows
from webwx.flows.sync import Batch
from webwx.model.events import ContinuityLost, Item
from webwx.protocol.codes import Ret
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.account_storage import AccountStorage
    from webwx.client.archive import MediaArchive
    from webwx.client.poll_interval import PollInterval
    from webwx.client.session import ClientSession, Moment
    from webwx.client.sync_cursor import SyncCursor
    from webwx.protocol.sync import SyncKey

REFUSED_FOR = 300.0
"""
Seconds in which the server takes our polls and no fetch can be read, until what waits there is given up.

Either it knows our key no more and refuses it, or the answer is too large to be read.
"""

_log = logging.getLogger("webwx.client")

_NOT_OF_THE_KEY = frozenset({Ret.PHONE_OFFLINE, Ret.TOO_FREQUENT})
"""Refusals of a fetch that do not say that our key is lost; ret 3 was seen for two hours."""


class BatchStore(Protocol):
    """Where a sync loop stores what it fetches."""

    needs_body: bool
    """Whether the bytes of an answer are stored as well."""

    async def store(self, batch: Batch, began: float) -> int:
        """
        Store a batch with the position it leads to; return the number of new items.

        Args:
            batch: The batch.
            began: Seconds since 1970, by the server's clock; messages that were written before are backlog.

        Raises:
            StorageError: It was not stored, or that is not known.
        """
        ...


class SyncState:
    """How the sync of one account goes in this process."""

    def __init__(self) -> None:
        self.readers = 0
        """Number of open subscriptions."""
        self.lock = contextlib.ExitStack()
        """Keeps other processes from syncing this login."""
        self.work: asyncio.Task[None] | None = None
        """What polls in the background."""
        self.archive: MediaArchive | None = None
        """What fetches media as they arrive."""
        self.ahead: asyncio.Task[bool] | None = None
        """A poll that was begun before its result is needed."""
        self.fetching = asyncio.Lock()
        """The keys are not made for two fetches at once."""
        self.began = 0.0
        """When the first reader came, by this machine's clock."""
        self.began_there: float | None = None
        """When the first reader came, by the server's clock; None until the first answer."""
        self.answered_at = 0.0
        """When a poll or a fetch last went well, by the loop's clock."""
        self.fetched_at = 0.0
        """When a fetch last went well, by the server's clock."""
        self.round_began: Moment | None = None
        """When the last round began."""
        self.held = 0.0
        """Seconds until the last poll was answered."""
        self.has_more = False
        """The last batch said that more waits."""
        self.unstored: Batch | None = None
        """A batch that is fetched and not stored yet; nothing is fetched meanwhile."""
        self.unstored_from: tuple[SyncKey, SyncKey] | None = None
        """Both keys as they were when it was fetched."""
        self.refused_since: float | None = None
        """Since when every fetch has been refused or was too large to be read, by the loop's clock."""
        self.is_too_large = False
        """The last one of those was too large."""


class SyncLoop:
    """
    Polls for one account, fetches, and has each batch stored.

    Args:
        session: The account's session.
        storage: The account's storage.
        cursor: Finds the account's place in the journal.
        batches: Stores each batch.
        interval: The interval between rounds; `batches` counts in it as well.
        make_archive: Makes what fetches media as they arrive; None: they are not fetched.
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
        self.joining = asyncio.Lock()
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
        """Drop what was fetched for the present login."""
        self._state.unstored = None
        self._state.has_more = False

    # -- one reader, without a journal -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin to sync for one reader, who holds the account's sync lock."""
        self._begin_round()
        self._interval.reset()
        self._drop_stored()

    def _begin_round(self) -> None:
        self._state.fetched_at, self._state.answered_at = self._session.now(), asyncio.get_running_loop().time()

    async def poll_ahead(self) -> None:
        """Send the next poll while what the last one led to is handed out."""
        self._state.ahead = asyncio.get_running_loop().create_task(self._check())
        await asyncio.sleep(0)

    async def drop_poll(self) -> None:
        """Cancel a poll whose result is not needed any more."""
        ahead, self._state.ahead = self._state.ahead, None
        if ahead is not None:
            ahead.cancel()  # one that has failed is forgotten by this as well: the next poll meets the same
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
            with contextlib.ExitStack() as held:
                held.enter_context(session.store.syncing())
                saved = session.catch_up()  # it may have been another process that synced this login last
                state.began, state.began_there = session.clock(), None
                self._begin_round()
                await self._cursor.find()
                self._drop_stored()
                if saved is not None and saved.pending:  # left by a client without a journal
                    login = session.login
                    leftover = Batch(
                        items=saved.pending, fetch_key=login.fetch_key, check_key=login.check_key, skey="",
                        has_more=False,
                    )  # fmt: skip
                    await self._batches.store(leftover, 0.0)
                    session.save(pending=())
                self._interval.reset()
                state.lock = held.pop_all()
        state.readers += 1

    async def leave(self) -> None:
        """Count one reader less; the last one ends the sync."""
        state = self._state
        state.readers -= 1
        if not state.readers:
            with state.lock:
                await self.stop()
                self._session.save_changes()

    def start(self) -> None:
        """Poll in the background from now on."""
        state = self._state
        if state.work is None or state.work.done():
            state.work = asyncio.get_running_loop().create_task(self.pull(lambda: False))
            state.work.add_done_callback(lambda _: self._storage.notify())

    async def stop(self) -> None:
        """Stop what runs in the background; subscriptions see the end."""
        if self._state.archive is not None:
            await self._state.archive.stop()
        work = self._state.work
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # subscriptions have got the error; asyncio need not report it as well

    async def begin_archiving(self) -> None:
        """Fetch media as they arrive from now on, when they are wanted."""
        archive = self._state.archive
        if self._make_archive is not None and (archive is None or not archive.is_at_work):
            if archive is not None:
                await archive.stop()
            self._state.archive = archive = self._make_archive()
            await archive.begin()

    async def wait_for_archive(self) -> None:
        """Return once the media that have arrived are archived or cannot be had."""
        if self._state.archive is not None:
            await self._state.archive.caught_up()

    # -- asking the server -------------------------------------------------------------------------------------------

    async def pull(self, is_enough: Callable[[], bool]) -> None:
        """Poll, and take over batch after batch, until there is enough."""
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
                with contextlib.suppress(StorageError):  # it may have been stored all the same
                    await self._cursor.follow()
                    self._drop_stored()

    async def _keep_distance(self) -> None:
        """Wait until the next round may begin."""
        state = self._state
        if state.round_began is not None and self._interval.seconds:
            rest = self._interval.seconds - self._session.seconds_since(state.round_began)
            if rest > 0:
                await pause(rest, self._session.clock)
        state.round_began = self._session.moment()

    async def _is_fetch_due(self) -> bool:
        """Poll, unless it is known without that whether to fetch."""
        state = self._state
        if state.unstored is not None or self._state.has_more:
            return True
        is_something = await self._next_poll()
        is_held = state.held >= HELD_FROM
        if is_held:
            self._interval.reset()
        # While fetches fail, only a fetch shows when they do no longer.
        if is_something or not self._session.liveness.can_fetch:
            return True
        if is_held:
            return False
        if self._interval.is_long_idle:
            return True
        self._interval.count_idle_poll()
        return False

    async def _next_poll(self) -> bool:
        """Wait for what the next poll says, which may be on its way already: whether there is something to fetch."""
        ahead, self._state.ahead = self._state.ahead, None
        return await (self._check() if ahead is None else ahead)

    async def _check(self) -> bool:
        begun = self._session.moment()
        async with until_wake(self._session.clock):
            is_something = await self._session.run(sync_flows.check(self._session.login, self._session.now()))
        self._state.held = self._session.seconds_since(begun)
        self._note_answer()
        return is_something

    async def _fetch_batch(self) -> int:
        """Fetch once and store what comes; returns the number of new items. What is not stored yet is stored first."""
        state = self._state
        async with state.fetching:
            if state.unstored is None:
                async with until_wake(self._session.clock):
                    flow = sync_flows.fetch(
                        self._session.login, self._session.now(), with_body=self._batches.needs_body
                    )
                    batch = await self._session.run(flow)
                self._note_answer()
                self._session.liveness.fetched()
                state.fetched_at, state.refused_since = self._session.now(), None
                self._hold(batch)
            return await self._store_held()

    async def fetch_waiting(self) -> bool:
        """Fetch what waits already, without a poll; returns False when nothing more is to be expected."""
        await self._keep_distance()
        return (bool(await self._fetch_batch()) or self._state.has_more) and not self._interval.is_long_idle

    def _hold(self, batch: Batch) -> None:
        """Hold a batch until it is stored."""
        self._state.unstored, self._state.unstored_from = batch, self._keys()

    def _keys(self) -> tuple[SyncKey, SyncKey]:
        return self._session.login.fetch_key, self._session.login.check_key

    def _drop_stored(self) -> None:
        """Hold a batch no longer when the position has moved: it was stored here, or fetched by another process."""
        if self._state.unstored_from != self._keys():
            self._state.unstored = None

    async def _store_held(self) -> int:
        """
        Store the batch that is held; returns the number of new items.

        Raises:
            StorageError: It is not stored, and held on.
        """
        state = self._state
        batch = state.unstored
        assert batch is not None  # noqa: S101 - for the type checker: the caller has looked
        self._state.has_more = batch.has_more
        news = await self._batches.store(batch, state.began_there or 0.0)
        self._session.liveness.stored()
        state.unstored = None
        return news

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
            self._session.liveness.fetch_failed(error, is_certain=is_certain)
        else:
            self._session.liveness.failed(error, is_stale=is_certain)
        # Ret 3 may last for hours, and says nothing of our key.
        if not isinstance(error, AnswerTooLarge | ApiError) or ret in _NOT_OF_THE_KEY:
            return
        if error.endpoint == WEBWXSYNC.name:
            is_too_large = isinstance(error, AnswerTooLarge)
            if is_too_large and not (state.is_too_large and state.refused_since):
                _log.warning("%s It is asked for again; after %.0f s what it holds is given up.", error, REFUSED_FOR)
            state.is_too_large = is_too_large
            state.refused_since = state.refused_since or now

    def _is_key_lost(self) -> bool:
        """Return whether fetches were refused for so long, while polls succeed, that the key must be invalid."""
        since = self._state.refused_since
        return since is not None and asyncio.get_running_loop().time() - since > REFUSED_FOR

    async def _start_over(self) -> int:
        """Get a new key in place of one that brings nothing readable, and tell that something may be missing."""
        reply = await self._session.run(login_flows.open_session(self._session.login, self._session.now()))
        gap = ContinuityLost(
            since=self._state.fetched_at, until=self._session.now(),
            reason="answer_too_large" if self._state.is_too_large else "key_refused",
        )  # fmt: skip
        self._state.refused_since = None
        key = reply.sync_key.or_older(self._session.login.fetch_key)
        self._hold(
            Batch(
                items=(Item(kind="gap", raw=msgspec.Raw(msgspec.json.encode(gap))),),
                fetch_key=key, check_key=key, skey=reply.skey, has_more=False,
            )
        )  # fmt: skip
        return await self._store_held()

    def backoff(self) -> Backoff:
        """Return the delays of one loop, which end when a suspended machine wakes."""
        return Backoff(sleep=partial(pause, clock=self._session.clock))

    def storage_failed(self, error: StorageError) -> None:
        """Report in the client's state that the journal has failed."""
        self._session.liveness.cannot_store(error)
