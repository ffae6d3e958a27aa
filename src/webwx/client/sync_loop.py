"""
What happens: batches are taken over with the position they lead to, then handed out one by one.

Without a journal the saved login holds what was fetched and not yet handed out, and whoever reads fetches. With one, a
task in the background moves what comes into the journal, and any number of readers go through that at their own pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from webwx.client.archive import MediaArchive
from webwx.client.base import HELD_FROM
from webwx.client.history import HistoryVerbs
from webwx.client.media import MediaVerbs
from webwx.client.poll_interval import PollInterval
from webwx.client.recent_messages import RecentMessages
from webwx.client.retry import Backoff
from webwx.client.state import STALE_AFTER
from webwx.client.stream import EventStream
from webwx.client.subscription import Subscription
from webwx.client.suspend import pause, until_wake
from webwx.client.sync_cursor import Position, PositionVerbs
from webwx.errors import (
    AnswerTooLarge,
    ApiError,
    LocalStateError,
    LoggedOut,
    NotOnThisHost,
    ProtocolError,
    StorageError,
    TransportError,
)
from webwx.flows import login as login_flows
from webwx.flows import sync as sync_flows
from webwx.flows.sync import Batch
from webwx.model.contacts import ContactId
from webwx.model.delivery import text_from_wire
from webwx.model.events import (
    Arrived,
    ContactChanged,
    ContactDeleted,
    ContinuityLost,
    Item,
    event_from_item,
    identify,
    is_plain,
    is_quiet,
)
from webwx.model.messages import Event, Message, MessageRecalled, PhoneActivity, TextMessage
from webwx.model.notices import says_too_often
from webwx.protocol.codes import Ret
from webwx.protocol.sync import WEBWXSYNC
from webwx.storage.base import Arrival

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from webwx.client.base import Moment
    from webwx.model.contacts import Contact
    from webwx.protocol.sync import SyncKey
    from webwx.storage.base import AccountJournal, Entry

REFUSED_FOR = 300.0
"""
Seconds in which the server takes our polls and no fetch can be read, until what waits there is given up.

Either it knows our key no more and refuses it, or the answer is too large to be read.
"""

AHEAD_FROM = 20
"""
Events of one batch from which on the next poll is on its way while they are handed out: more may wait. With few of them
a handler rather answers one, and would find the connection taken.
"""

_log = logging.getLogger("webwx.client")

_NOT_OF_THE_KEY = frozenset({Ret.PHONE_OFFLINE, Ret.TOO_FREQUENT})
"""Refusals of a fetch that do not say that our key is lost; ret 3 was seen for two hours."""


class _Shown:
    """What a stream has yielded: the last number, and the highest."""

    last = highest = 0

    def note(self, number: int) -> None:
        self.last, self.highest = number, max(number, self.highest)


class _Look:
    """What a batch holds, as far as the journal and the contacts must know."""

    def __init__(self, began: int) -> None:
        self.began = began
        """What was written before is backlog."""
        self.arrived: list[Arrived] = []
        self.texts: list[tuple[Item, TextMessage]] = []
        """In place of these, where there is nothing else."""
        self.contacts: dict[str, Contact] = {}
        """Who was added or has changed, as they are now."""
        self.gone: dict[ContactId, None] = {}
        self.people: list[tuple[ContactId, ContactId | None]] = []
        """Chats with who has written there."""
        self.activities: list[PhoneActivity] = []
        self.own_chats: set[ContactId] = set()
        """Where this account has written."""
        self.changed_contacts = 0
        """Number of contacts that differ from what was known."""
        self.is_too_often = False
        """The platform says in a chat that this account does too much."""


class _Course:
    """How the sync of one account goes in this process."""

    def __init__(self) -> None:
        self.readers = 0
        """Feeds for which it goes."""
        self.joining = asyncio.Lock()
        """Feeds open and close one after the other."""
        self.lock = contextlib.ExitStack()
        """Keeps other processes from syncing this login."""
        self.work: asyncio.Task[None] | None = None
        """What polls in the background."""
        self.keeper: MediaArchive | None = None
        """What fetches media as they arrive."""
        self.ahead: asyncio.Task[bool] | None = None
        """A poll that was begun before anybody waits for what it says."""
        self.fetching = asyncio.Lock()
        """The keys are not made for two fetches at once."""
        self.news = asyncio.Event()
        """Set once something more is stored, and then replaced."""
        self.began = 0.0
        """When the first of those who read came, by our clock."""
        self.began_there: float | None = None
        """The same by the server's clock, as the first answer told it."""
        self.answered_at = 0.0
        """When a poll or a fetch last went well, by the loop's clock."""
        self.fetched_at = 0.0
        """When a fetch last went well, by the server's clock."""
        self.interval = PollInterval()
        """The distance between rounds."""
        self.round_began: Moment | None = None
        """When the last round began."""
        self.held = 0.0
        """Seconds until the last poll was answered."""
        self.unstored: Batch | None = None
        """A batch that is fetched and not stored yet; nothing is fetched meanwhile."""
        self.unstored_from: tuple[SyncKey, SyncKey] | None = None
        """Both keys as they were when it was fetched."""
        self.refused_since: float | None = None
        """Since when every fetch has been refused or was too large to be read, by the loop's clock."""
        self.is_too_large = False
        """The last one of those was too large."""

    def tell(self) -> None:
        """Wake whoever waits for news."""
        self.news.set()
        self.news = asyncio.Event()


class SyncVerbs(PositionVerbs, HistoryVerbs, MediaVerbs):
    """The stream of one account's events."""

    def _prepare(self) -> None:
        super()._prepare()
        self._course = _Course()
        if self._journal is None:  # which knows all that was handed out
            self._recent = RecentMessages()

    def events(self, consumer: str = "events", *, include_all: bool = True, follow: bool = True) -> EventStream:
        """
        Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone.

        With a journal everything is stored before it is yielded, and asking for the next event says that one is done
        with the one before. What was yielded and not done with comes again, marked `redelivered`; nothing else comes
        twice. Reading slowly, or not at all, holds nothing up.

        Without one, a batch is saved together with the position it leads to, before its first event is yielded; what
        was not yielded when you stop is yielded first the next time, also in another process with the same store. After
        a crash the events of one batch may come again.

        The network may come and go: polls and fetches are repeated, slower each time, until the login ends.

        Args:
            consumer: Whose place in the journal is read from and moved on; each name has its own. A new one begins
                now, and the first one of all with what is there. Without a journal there is one place only.
            include_all: False leaves out activity of the phone and changes of contacts.
            follow: False ends as soon as nothing waits any more; a failure of the network ends it too, then.

        Raises:
            LoggedOut: The login ended.
            AlreadyRunning: Another process is syncing this login, or this consumer is read from elsewhere; without a
                journal also when another part of this process is syncing.
            StorageError: The journal cannot be opened.

        Wire: synccheck, webwxsync

        """
        if self._journal is None:
            return EventStream(self._fetched_events(include_all=include_all, follow=follow), self._save_taken)
        subscription, shown = self.subscribe(consumer, follow=follow), _Shown()

        async def ack() -> None:
            if shown.last:
                subscription.ack(shown.last)
                await subscription.flush()

        return EventStream(self._stored_events(subscription, shown, include_all=include_all), ack)

    def subscribe(self, consumer: str, *, follow: bool = True, shows: bool = False) -> Subscription:
        """
        Return a subscription to this account's events, to be opened with `async with`.

        For programs that acknowledge events by number and out of order, as a bot does; `events` is the simpler way. A
        journal is needed.

        Args:
            consumer: Whose place in the journal is read from and moved on, as for `events`.
            follow: False: do not poll; the subscription ends once nothing waits any more.
            shows: `Subscription.show` tells what is handed out; otherwise everything that is taken counts as handed
                out, and is marked `redelivered` when it comes again.

        """
        return Subscription(_Synced(self), consumer, follow=follow, shows=shows)

    async def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        try:
            await self._stop_sync()
        finally:
            await super().close()

    async def wait_for_kept(self) -> None:
        """
        Return once the media that have arrived are kept, or are not to be had.

        For a program that reads some events and ends. While it runs they are fetched anyway, as `keep=` has asked for;
        what was not fetched when it ends is fetched the next time, if the platform still has it. Media that only a
        better network or disk could bring are not waited for, and without `keep=` or a stream of events none are.
        """
        if self._course.keeper is not None:
            await self._course.keeper.caught_up()

    # -- asking the server -------------------------------------------------------------------------------------------

    async def _pull(self, is_enough: Callable[[], bool]) -> None:
        """Poll, and take over batch after batch, until there is enough."""
        backoff = self._backoff()
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
                if self._journal is None:
                    raise
                self._liveness.cannot_store(error)
                await backoff.pause()
                with contextlib.suppress(StorageError):  # it may have been stored all the same
                    await self._go_to_position()
                    self._drop_stored()

    async def _keep_distance(self) -> None:
        """Wait until the next round may begin."""
        course = self._course
        if course.round_began is not None and course.interval.seconds:
            rest = course.interval.seconds - self._seconds_since(course.round_began)
            if rest > 0:
                await pause(rest, self._clock)
        course.round_began = self._moment()

    async def _is_fetch_due(self) -> bool:
        """Poll, unless it is known without that whether to fetch."""
        course = self._course
        if course.unstored is not None or self._has_more:
            return True
        is_something = await self._next_poll()
        is_held = course.held >= HELD_FROM
        if is_held:
            course.interval.reset()
        # While fetches fail, only a fetch shows when they do no longer.
        if is_something or not self._liveness.can_fetch:
            return True
        if is_held:
            return False
        if course.interval.is_long_idle:
            return True
        course.interval.count_idle_poll()
        return False

    async def _next_poll(self) -> bool:
        """Wait for what the next poll says, which may be on its way already: whether there is something to fetch."""
        ahead, self._course.ahead = self._course.ahead, None
        return await (self._check() if ahead is None else ahead)

    async def _check(self) -> bool:
        begun = self._moment()
        async with until_wake(self._clock):
            is_something = await self._run(sync_flows.check(self._login, self._cell.now()))
        self._course.held = self._seconds_since(begun)
        self._note_answer()
        return is_something

    async def _fetch_batch(self) -> int:
        """Fetch once and store what comes; returns the number of new items. What is not stored yet is stored first."""
        course = self._course
        async with course.fetching:
            if course.unstored is None:
                async with until_wake(self._clock):
                    flow = sync_flows.fetch(self._login, self._cell.now(), with_body=self._journal is not None)
                    batch = await self._run(flow)
                self._note_answer()
                self._liveness.fetched()
                course.fetched_at, course.refused_since = self._cell.now(), None
                self._hold(batch)
            return await self._store_held()

    async def _fetch_waiting(self) -> bool:
        """Fetch what waits already, without a poll; returns False when nothing more is to be expected."""
        await self._keep_distance()
        return (bool(await self._fetch_batch()) or self._has_more) and not self._course.interval.is_long_idle

    def _hold(self, batch: Batch) -> None:
        """Hold a batch until it is stored."""
        self._course.unstored, self._course.unstored_from = batch, self._keys()

    def _keys(self) -> tuple[SyncKey, SyncKey]:
        return self._login.fetch_key, self._login.check_key

    def _drop_stored(self) -> None:
        """Hold a batch no longer when the position has moved: it was stored here, or fetched by another process."""
        if self._course.unstored_from != self._keys():
            self._course.unstored = None

    async def _store_held(self) -> int:
        """
        Store the batch that is held; returns the number of new items.

        Raises:
            StorageError: It is not stored, and held on.
        """
        course = self._course
        batch = course.unstored
        assert batch is not None  # noqa: S101 - for the type checker: the caller has looked
        self._has_more = batch.has_more
        if self._journal is None:
            news = self._keep(batch)
        else:
            news = await self._ingest(batch)
            self._liveness.stored()
        course.unstored = None
        return news

    def _note_answer(self) -> None:
        course = self._course
        self._liveness.polled(self._cell.now())
        course.answered_at = asyncio.get_running_loop().time()
        if course.began_there is None:
            course.began_there = course.began + self._login.clock_skew

    def _note_failure(self, error: TransportError | ProtocolError | ApiError, *, is_fetch: bool) -> None:
        course, now = self._course, asyncio.get_running_loop().time()
        ret = error.ret if isinstance(error, ApiError) else None
        is_certain = ret == Ret.PHONE_OFFLINE or now - course.answered_at > STALE_AFTER
        if is_fetch:
            self._liveness.fetch_failed(error, is_certain=is_certain)
        else:
            self._liveness.failed(error, is_stale=is_certain)
        # Ret 3 may last for hours, and says nothing of our key.
        if not isinstance(error, AnswerTooLarge | ApiError) or ret in _NOT_OF_THE_KEY:
            return
        if error.endpoint == WEBWXSYNC.name:
            is_too_large = isinstance(error, AnswerTooLarge)
            if is_too_large and not (course.is_too_large and course.refused_since):
                _log.warning("%s It is asked for again; after %.0f s what it holds is given up.", error, REFUSED_FOR)
            course.is_too_large = is_too_large
            course.refused_since = course.refused_since or now

    def _is_key_lost(self) -> bool:
        """Say whether only our key can be the reason that every fetch is refused, while every poll goes well."""
        since = self._course.refused_since
        return since is not None and asyncio.get_running_loop().time() - since > REFUSED_FOR

    async def _start_over(self) -> int:
        """Get a new key in place of one that brings nothing readable, and tell that something may be missing."""
        reply = await self._run(login_flows.open_session(self._login, self._cell.now()))
        gap = ContinuityLost(
            since=self._course.fetched_at, until=self._cell.now(),
            reason="answer_too_large" if self._course.is_too_large else "key_refused",
        )  # fmt: skip
        self._course.refused_since = None
        key = reply.sync_key.or_older(self._login.fetch_key)
        self._hold(
            Batch(
                items=(Item(kind="gap", raw=msgspec.Raw(msgspec.json.encode(gap))),),
                fetch_key=key, check_key=key, skey=reply.skey, has_more=False,
            )
        )  # fmt: skip
        return await self._store_held()

    def _backoff(self) -> Backoff:
        """Return the delays of one loop, which end when a suspended machine wakes."""
        return Backoff(sleep=partial(pause, clock=self._clock))

    # -- with a journal: what fills it -------------------------------------------------------------------------------

    async def _join_sync(self) -> None:
        """
        Be one of those for whom the account is synced.

        Raises:
            AlreadyRunning: Another process is syncing this login.
            StorageError: The journal cannot be read.
        """
        course = self._course
        if not course.readers:
            with contextlib.ExitStack() as held:
                held.enter_context(self._store.syncing())
                saved = self._catch_up()  # it may have been another process that synced this login last
                course.began, course.began_there = self._clock(), None
                course.fetched_at, course.answered_at = self._cell.now(), asyncio.get_running_loop().time()
                await self._find_position()
                self._drop_stored()
                if saved is not None and saved.pending:  # left by somebody who had no journal
                    await self._ingest(self._batch_of(saved.pending))
                    self._save(pending=())
                course.interval.reset()
                course.lock = held.pop_all()
        course.readers += 1

    async def _leave_sync(self) -> None:
        """Be none of them any more; the last one ends the sync."""
        course = self._course
        course.readers -= 1
        if not course.readers:
            with course.lock:
                await self._stop_sync()
                self._save_session()

    def _start_sync(self) -> None:
        """Sync in the background from now on."""
        course = self._course
        if course.work is None or course.work.done():
            course.work = asyncio.get_running_loop().create_task(self._pull(lambda: False))
            course.work.add_done_callback(lambda _: course.tell())

    async def _begin_keeping(self) -> None:
        """Fetch media as they arrive from now on, when they are wanted."""
        course = self._course
        if self._to_keep is not None and (course.keeper is None or not course.keeper.is_at_work):
            if course.keeper is not None:
                await course.keeper.stop()
            course.keeper = MediaArchive(self, self._to_keep, lambda: course.news, course.tell)
            await course.keeper.begin()

    async def _stop_sync(self) -> None:
        """End what goes on in the background; whoever reads on sees the end."""
        if self._course.keeper is not None:
            await self._course.keeper.stop()
        work = self._course.work
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # whoever read was told; the loop need not be as well

    def _forget(self) -> None:
        super()._forget()
        self._course.unstored = None

    def _batch_of(self, items: tuple[Item, ...]) -> Batch:
        """Give items as a batch that leads nowhere."""
        login = self._login
        return Batch(items=items, fetch_key=login.fetch_key, check_key=login.check_key, skey="", has_more=False)

    async def _ingest(self, batch: Batch) -> int:
        """
        Store a batch with the position it leads to, and go there; gives how much of it was news.

        Raises:
            StorageError: It was not stored, or nobody can say.
        """
        own_id = ContactId(self._login.user_id)
        has_moved = batch.fetch_key != self._login.fetch_key
        if batch.skey:
            # A key that is ahead of the position does no harm; one that is behind may end the login.
            self._cell.change(credentials=msgspec.structs.replace(self._login.credentials, skey=batch.skey))
            self._save()
        position = Position(fetch_key=batch.fetch_key, check_key=batch.check_key)
        look = self._look_at(batch, own_id)
        count = await self._part_of_account().ingest(
            Arrival(
                body=batch.body, items=tuple(look.arrived), texts=tuple(look.texts), position=position.pack(),
                time=self._cell.now(), began=look.began, contacts=tuple(look.contacts.values()),
                deleted=tuple(look.gone),
            )
        )  # fmt: skip
        self._cell.change(fetch_key=batch.fetch_key, check_key=batch.check_key)
        self._is_dirty = True
        self._course.tell()
        if self._governor is not None and look.is_too_often:  # not before: what cannot be stored is fetched again
            await self._governor.refused()
        self._introduce(look.contacts.values())
        for activity in look.activities:
            self._introduce_by_real_ids(activity)
        for chat, sender in dict.fromkeys(look.people):
            if not self._contacts.knows(chat, sender):
                self._meet(chat, sender)
        await self._settle_doubts(look.own_chats)
        # What stands beside the messages has no id to be known again by.
        beside = sum(not each.message_id for each in look.arrived)
        self._course.interval.count_batch(messages=count - beside, others=beside if has_moved else 0)
        for _ in range(look.changed_contacts):
            self._course.interval.count_contact_change()
        return count if has_moved else count - beside

    def _look_at(self, batch: Batch, own_id: ContactId) -> _Look:
        """Look at a batch as closely as the journal must, and let the contacts know what it says of them."""
        look = _Look(int(self._course.began_there or 0.0))
        if batch.body and is_plain(batch.items):
            self._look_at_texts(batch, own_id, look)
            return look
        for item, raw in zip(batch.items, batch.delivered(), strict=True):
            arrived = identify(item, own_id, look.began, raw)
            look.arrived.append(arrived)
            chat = arrived.chat
            if chat:
                look.people.append((chat, arrived.sender))
                if arrived.is_self:
                    look.own_chats.add(chat)
                if arrived.is_notice and self._governor is not None and arrived.time >= look.began:
                    look.is_too_often = look.is_too_often or says_too_often(event_from_item(item, own_id, arrived.read))
                continue
            # The events of messages are made when somebody wants them; this is about people, and the phone names chats.
            match event_from_item(item, own_id, arrived.read):
                case ContactChanged(contact=contact):
                    known = self._contacts.get(contact.id)
                    merged = look.contacts[contact.id] = self._contacts.merge(contact)
                    look.changed_contacts += merged != known
                    look.gone.pop(merged.id, None)
                case ContactDeleted(id=gone):
                    look.changed_contacts += gone in self._contacts
                    self._contacts.remove(gone)
                    look.contacts.pop(gone, None)
                    look.gone[gone] = None
                case PhoneActivity(recent=recent) as activity:
                    look.people.extend((chat, None) for chat in recent)
                    look.activities.append(activity)
        return look

    def _look_at_texts(self, batch: Batch, own_id: ContactId, look: _Look) -> None:
        """Look at a batch of texts alone: who they are from, and what events they are."""
        for item in batch.items:
            assert item.text is not None  # noqa: S101 - for the type checker: it is a text
            event = text_from_wire(item.text, own_id)
            look.texts.append((item, event))
            if event.chat:
                look.people.append((event.chat, event.sender))
                if event.is_self:
                    look.own_chats.add(event.chat)

    # -- with a journal: who reads it --------------------------------------------------------------------------------

    async def _stored_events(
        self, subscription: Subscription, shown: _Shown, *, include_all: bool
    ) -> AsyncGenerator[Event, None]:
        """Yield what a subscription delivers."""
        self._login.require()
        await _others_end()
        await subscription.open()
        try:
            while given := await subscription.take():
                for each in given:
                    number = each.entry.number
                    shown.note(number)
                    subscription.show(number)
                    if include_all or not is_quiet(each.event):
                        yield each.event
                    subscription.ack(number)
        finally:
            await subscription.close(unseen_from=shown.highest + 1)

    # -- without one -------------------------------------------------------------------------------------------------

    async def _fetched_events(self, *, include_all: bool, follow: bool) -> AsyncGenerator[Event, None]:
        """Yield what is pending, and fetch when nothing is."""
        self._login.require()
        await _others_end()
        with self._store.syncing():
            saved = self._catch_up()  # it may have been another process that synced this login last
            if saved is not None:
                self._resume_pending(saved)
            course, own_id = self._course, self._login.user_id
            take, pending = self._take, self._pending
            course.fetched_at, course.answered_at = self._cell.now(), asyncio.get_running_loop().time()
            course.interval.reset()
            self._drop_stored()
            try:
                while True:
                    while pending:
                        self._is_dirty = self._has_taken = True
                        event = take(pending.popleft(), own_id)
                        if event is not None and (include_all or not is_quiet(event)):
                            yield event
                    if follow:
                        await self._pull(lambda: bool(pending))
                        if len(pending) >= AHEAD_FROM:
                            await self._poll_ahead()
                    elif not await self._fetch_waiting():
                        return
            finally:
                self._save_session()
                await self._drop_poll()

    async def _poll_ahead(self) -> None:
        """Let the next poll leave while what the last one led to is handed out."""
        self._course.ahead = asyncio.get_running_loop().create_task(self._check())
        await asyncio.sleep(0)

    async def _drop_poll(self) -> None:
        """End a poll that nobody waits for any more."""
        ahead, self._course.ahead = self._course.ahead, None
        if ahead is not None:
            ahead.cancel()  # one that has failed is forgotten by this as well: the next poll meets the same
            await asyncio.wait([ahead])

    async def _save_taken(self) -> None:
        """Save that what was yielded last is done with."""
        self._save_session()

    def _keep(self, batch: Batch) -> int:
        """Put a batch behind what is pending and save both keys with it, in one save; gives how much was news."""
        login = self._login
        has_moved = batch.fetch_key != login.fetch_key
        changes: dict[str, object] = {"fetch_key": batch.fetch_key, "check_key": batch.check_key}
        if batch.skey:
            changes["credentials"] = msgspec.structs.replace(login.credentials, skey=batch.skey)
        self._cell.change(**changes)
        try:
            self._save(pending=(*self._pending, *batch.items))
        except LocalStateError:
            self._cell.login = login
            raise
        self._pending.extend(batch.items)
        news = len(batch.items) if has_moved else 0
        self._course.interval.count_batch(messages=0, others=news)  # `_take` finds out what of it is news
        return news

    def _take(self, item: Item, own_id: str) -> Event | None:
        """Look at an item: its event, or None when it was handed out before."""
        event = event_from_item(item, own_id)
        match event:
            case TextMessage() | Message():  # most are of just the first, and that is seen in half the time
                if not self._recent.is_new(event):
                    return None
                self._course.interval.reset()
                self._recent.messages.append(event)
                if not self._contacts.knows(event.chat, event.sender):
                    self._meet(event.chat, event.sender)
            case MessageRecalled(message_id=gone):
                if not self._recent.is_new(event):
                    return None
                self._course.interval.reset()
                return msgspec.structs.replace(event, original=self._recent.find(gone))
            case ContactChanged(contact=contact):
                known = self._contacts.get(contact.id)
                merged = self._contacts.merge(contact)
                if merged != known:
                    self._course.interval.count_contact_change()
                return ContactChanged(contact=merged)
            case ContactDeleted(id=gone):
                if gone in self._contacts:
                    self._course.interval.count_contact_change()
                self._contacts.remove(gone)
            case PhoneActivity(recent=recent):
                for chat in recent:
                    self._meet(chat)
        return event


class _Synced:
    """
    What a subscription needs of its account's client.

    Args:
        client: The client; it has a journal.
    """

    def __init__(self, client: SyncVerbs) -> None:
        self._client = client
        self._course = client._course
        self.joining = self._course.joining

    @property
    def part(self) -> AccountJournal:
        """The account's part of the journal."""
        return self._client._part_of_account()

    @property
    def work(self) -> asyncio.Task[None] | None:
        """The task that polls in the background; None before the first one."""
        return self._course.work

    @property
    def news(self) -> asyncio.Event:
        """Set when something more is stored, and then replaced by another one."""
        return self._course.news

    def notify(self) -> None:
        """Wake every subscription that waits for news."""
        self._course.tell()

    async def join(self) -> None:
        """Count one more reader of the account; the first one takes the account's sync lock."""
        await self._client._join_sync()

    async def leave(self) -> None:
        """Count one reader less; the last one ends the sync."""
        await self._client._leave_sync()

    def start(self) -> None:
        """Poll in the background from now on."""
        self._client._start_sync()

    async def begin_archiving(self) -> None:
        """Fetch media as they arrive, if the client was asked to."""
        await self._client._begin_keeping()

    async def fetch_waiting(self) -> bool:
        """Fetch what waits at the server without a poll; return whether there was anything."""
        return await self._client._fetch_waiting()

    async def wait_for_archive(self) -> None:
        """Return once the media that have arrived are archived or cannot be had."""
        await self._client.wait_for_kept()

    async def events_of(self, entries: Iterable[Entry]) -> list[Event]:
        """Decode entries of the journal."""
        return await self._client._events_of(entries)

    def backoff(self) -> Backoff:
        """Return the delays of one loop that retries."""
        return self._client._backoff()

    def storage_failed(self, error: StorageError) -> None:
        """Report in the client's state that the journal has failed."""
        self._client._liveness.cannot_store(error)


async def _others_end() -> None:
    """Let a stream that was left by `break` begin to end, which takes two turns of the loop."""
    for _ in range(2):
        await asyncio.sleep(0)
