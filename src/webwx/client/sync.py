"""What happens: batches are taken over with the position they lead to, then handed out one by one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.client.base import backoff
from webwx.client.contacts import ContactVerbs
from webwx.errors import (
    ApiError,
    LoggedOut,
    NotOnThisHost,
    ProtocolError,
    TransportError,
)
from webwx.flows import sync as sync_flows
from webwx.model.events import ContactChanged, ContactDeleted, Item, event_from_item
from webwx.model.messages import Event, Message, MessageRecalled, PhoneActivity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from webwx.flows.sync import Batch

K = TypeVar("K")
V = TypeVar("V")

RECENT = 1_000
"""Messages kept in memory, so that a recall can show its original."""

SEEN = 10_000
"""Messages remembered, so that one delivered twice is handed out once."""

_QUIET = (PhoneActivity, ContactChanged, ContactDeleted)
"""Events that are no messages."""


class SyncVerbs(ContactVerbs):
    """The stream of one account's events."""

    async def events(self, *, include_all: bool = True, follow: bool = True) -> AsyncGenerator[Event, None]:
        """
        Yield what happens, for ever: messages, recalls, changes of contacts, activity of the phone.

        A batch is saved together with the position it leads to, before its first event is yielded; what was not yielded
        when you stop is yielded first the next time, also in another process with the same store. After a crash the
        events of one batch may come again.

        The network may come and go: polls and fetches are repeated, slower each time, until the login ends.

        Args:
            include_all: False leaves out activity of the phone and changes of contacts.
            follow: False ends as soon as nothing waits any more; a failure of the network ends it too, then.

        Raises:
            LoggedOut: The login ended.
            AlreadyRunning: Another process, or another part of this one, is syncing this login.

        Wire: synccheck, webwxsync

        """
        self.account  # noqa: B018 - raises when nobody is logged in
        for _ in range(2):
            await asyncio.sleep(0)  # one that was left by `break` ends within two turns
        with self._store.syncing():
            saved = self._catch_up()  # it may have been another process that synced this login last
            if saved is not None:
                self._pending = deque(saved.pending)
            try:
                while True:
                    while self._pending:
                        self._is_dirty = self._has_taken = True
                        event = self._take(self._pending.popleft())
                        if event is not None and (include_all or not isinstance(event, _QUIET)):
                            yield event
                    if follow:
                        await self._next_batch()
                    elif not await self._fetch_waiting():
                        return
            finally:
                self._save_session()

    async def _next_batch(self) -> None:
        """Wait for a batch that brings something and take it over, keys and items in one save."""
        empty = failures = 0
        while not self._pending:
            try:
                if not self._has_more and not await self._run(sync_flows.check(self._login, self._cell.now())):
                    empty = failures = 0
                    continue
                batch = await self._run(sync_flows.fetch(self._login, self._cell.now()))
            except (LoggedOut, NotOnThisHost):
                raise
            except (TransportError, ProtocolError, ApiError):
                failures += 1
                self._liveness.failed()
                await asyncio.sleep(backoff(failures))
                continue
            failures = 0
            self._has_more = batch.has_more
            self._take_over(batch)
            # A server that announces what it does not deliver must not be asked at full speed (protocol notes, sync 4).
            empty = 0 if batch.items else empty + 1
            if empty > 1:
                await asyncio.sleep(min(30.0, 2.0 ** min(empty - 2, 5)))

    async def _fetch_waiting(self) -> bool:
        """Take over what waits already, without a poll; says whether there was anything."""
        batch = await self._run(sync_flows.fetch(self._login, self._cell.now()))
        self._has_more = batch.has_more
        self._take_over(batch)
        return self._has_more or bool(self._pending)

    def _take_over(self, batch: Batch) -> None:
        self._pending.extend(batch.items)
        changes: dict[str, object] = {"fetch_key": batch.fetch_key, "check_key": batch.check_key}
        if batch.skey:
            changes["credentials"] = msgspec.structs.replace(self._login.credentials, skey=batch.skey)
        self._cell.change(**changes)
        self._save(pending=tuple(self._pending))

    def _take(self, item: Item) -> Event | None:
        """Look at an item: its event, or None when it was handed out before."""
        event = event_from_item(item, self._login.user_id)
        match event:
            case ContactChanged(contact=contact):
                return ContactChanged(contact=self._contacts.merge(contact))
            case ContactDeleted(id=gone):
                self._contacts.remove(gone)
            case MessageRecalled(message_id=gone):
                if self._has_seen(event):
                    return None
                return msgspec.structs.replace(event, original=self._recent.get(gone))
            case Message():
                if self._has_seen(event):
                    return None
                _remember(self._recent, event.message_id, event, RECENT)
                self._meet(event.chat, event.sender)
            case PhoneActivity(recent=recent):
                for chat in recent:
                    self._meet(chat)
        return event

    def _has_seen(self, event: Message | MessageRecalled) -> bool:
        """Say whether an event was handed out before, and remember it. Its id alone does not tell: ids have met."""
        key = (event.message_id, hash((type(event), event.chat, event.time, event.content)))
        if key in self._seen:
            return True
        _remember(self._seen, key, None, SEEN)
        return False


def _remember(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    kept[key] = value
    if len(kept) > limit:
        kept.popitem(last=False)
