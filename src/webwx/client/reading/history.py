"""Messages and sends from the journal. It needs no network and no login, and works during a sync."""

from __future__ import annotations

import asyncio
import re
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.client.reading.message_page import MessagePage, PagedMessage
from webwx.errors import InvalidCursor, UnknownContact
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContactChanged, event_from_item
from webwx.model.identities import Identity, is_lasting
from webwx.model.messages import Event, Message, MessageRecalled, SystemMessage, TextMessage, keep_raw_of
from webwx.model.named_people import name_people, people_in_notice
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import (
    contact_ids_of,
    count_unread,
    export_entries,
    find_entry,
    find_identity_of,
    find_message,
    find_send,
)
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import Outgoing, SendQuery
from webwx.storage.tokenizer import Query, cut

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry
    from webwx.storage.tables.outbox import State

_SAID: tuple[State, ...] = ("sent", "sending", "unknown", "recalled")
"""States in which a send is part of the history: it was sent, or may have been sent."""

_POLL_INTERVAL = 0.2
"""Seconds between two reads of the state of a send in progress."""

_ALL = 2**62
"""A limit that no result reaches."""

_SENDS_SEARCHED = 500
"""Minimum number of sends that a search reads at a time."""

_NAMESAKES = 4
"""Number of messages with one id that are read at most, on average: the platform has given an id twice."""

_POSITION = re.compile(r"(\d{1,19})-(\d{1,19})")


def _in_order(entries: list[_Timed]) -> list[_Timed]:
    """Return entries, the newest first, with times that do not grow: one may be older than the entry before it."""
    latest, timed = 0.0, list[_Timed]()
    for each in reversed(entries):
        latest = max(latest, each.time)
        timed.append(each._replace(time=latest))
    return timed[::-1]


class _HistoryPosition(NamedTuple):
    """A place in the history: after all events and sends with lower numbers."""

    event: int
    send: int


_NEWEST = _HistoryPosition(_ALL, _ALL)
"""After everything."""


def _position_of(before: str) -> _HistoryPosition:
    """
    Return the position that a page has named.

    Raises:
        InvalidCursor: The text is not the value of a page.
    """
    found = _POSITION.fullmatch(before)
    if found is None or any(int(number) >= _ALL for number in found.groups()):
        raise InvalidCursor("before= is not a value that a page of the history has returned; pass one unchanged.")
    return _HistoryPosition(int(found[1]), int(found[2]))


def _number_of(before: str) -> int:
    """
    Return the number of an event that stands for a position.

    Raises:
        InvalidCursor: The text is no number.
    """
    return _position_of(f"{before}-0").event


async def _after_sends(part: AccountJournal, until: float = 0) -> int:
    """Return the number after the newest send, or after the newest one until a time."""
    sends = await part.outbox.find(SendQuery(until=until, limit=1))
    return sends[0].number + 1 if sends else 1


class _HistoryQuery(msgspec.Struct, frozen=True):
    """Conditions for events and sends."""

    chats: tuple[ContactId, ...]
    words: str | None = None
    since: float = 0
    until: float = 0


class _Timed(NamedTuple):
    """An event or a send, with the time by which both are put in order."""

    time: float
    entry: Event | Outgoing


class MessageHistory:
    """
    Messages and sends of one account in the journal.

    Args:
        book: The contacts of the present login.
        identities: Finds the contact that a caller means.
        updates: Returns the part of the journal that can be read.
    """

    def __init__(self, book: ContactBook, identities: AccountIdentities, updates: IdentityUpdates) -> None:
        self._book = book
        self._identities = identities
        self._updates = updates

    async def history(
        self,
        chat: To | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        since: float = 0,
        until: float = 0,
    ) -> list[Event | Outgoing]:
        part = await self._updates.readable_part()
        wanted = _HistoryQuery(await self.chats(part, chat), since=since, until=until)
        found = await self._newest(part, wanted, await self._before_event(part, before), limit)
        return [each.entry for each in reversed(found)]

    async def search(
        self, words: str, *, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Event | Outgoing]:
        part = await self._updates.readable_part()
        wanted = _HistoryQuery(await self.chats(part, chat), words=words)
        found = await self._newest(part, wanted, await self._before_event(part, before), limit)
        return [each.entry for each in found]

    async def history_page(
        self,
        chat: To | None = None,
        *,
        words: str = "",
        limit: int = 50,
        before: str = "",
        since: float = 0,
        until: float = 0,
    ) -> MessagePage:
        """Return a page of messages and sends, the newest first."""
        part = await self._updates.readable_part()
        wanted = _HistoryQuery(await self.chats(part, chat), words or None, since, until)
        if "-" in before:
            position = _position_of(before)
        elif before:
            position = await self._before_event(part, _number_of(before))
        else:
            position = await self._end(part)
        found = await self._newest(part, wanted, position, limit + 1)
        entries: list[PagedMessage] = []
        for each in found[:limit]:
            match each.entry:
                case Outgoing(number=number):
                    position = position._replace(send=number)
                case Event(number=number):
                    position = position._replace(event=number)
            entries.append(PagedMessage(each.entry, f"{position.event}-{position.send}"))
        return MessagePage(entries, entries[-1].before if len(found) > limit else None)

    async def count_unread(self, chat: To) -> int | None:
        part = await self._updates.readable_part()
        return await count_unread(part, await self.chats(part, chat))

    @staticmethod
    async def _before_event(part: AccountJournal, number: int | None) -> _HistoryPosition:
        """Return the position before an event and the sends after it; without a number, that after everything."""
        if number is None:
            return _NEWEST
        event = await find_entry(part, number)
        return _HistoryPosition(number, await _after_sends(part, until=0 if event is None else event.time))

    @staticmethod
    async def _end(part: AccountJournal) -> _HistoryPosition:
        """Return the position after all that is stored now, with which the first page of several begins."""
        newest = await part.find(EntryQuery(limit=1))
        return _HistoryPosition(newest[0].number + 1 if newest else 1, await _after_sends(part))

    async def _newest(
        self, part: AccountJournal, wanted: _HistoryQuery, position: _HistoryPosition, limit: int
    ) -> list[_Timed]:
        """
        Return the newest events and sends before a position, the newest first.

        Each kind is taken in the order of its numbers, whatever the times are, so one position holds both: no page
        repeats or leaves out an entry.
        """
        events = await self._newest_events(part, wanted, position.event, limit)
        sends = await self._newest_sends(part, wanted, position.send, limit)
        return [*islice(merge(sends, events, key=lambda each: each.time, reverse=True), limit)]

    async def _newest_events(
        self, part: AccountJournal, wanted: _HistoryQuery, before: int, limit: int
    ) -> list[_Timed]:  # fmt: skip
        """Return events with a lower number, the latest arrival first."""
        found: list[_Timed] = []
        is_all = False
        while len(found) < limit and not is_all:
            query = EntryQuery(
                words=wanted.words, chats=wanted.chats, before=before, since=wanted.since, until=wanted.until,
                limit=limit,
            )  # fmt: skip
            page = await part.find(query)
            made = [(entry.time, await self.event_of(entry)) for entry in page]
            found += [_Timed(time, event) for time, event in made if not event.is_quiet]
            before, is_all = (page[-1].number if page else before), len(page) < limit
        return _in_order(found[:limit])

    async def _newest_sends(self, part: AccountJournal, wanted: _HistoryQuery, before: int, limit: int) -> list[_Timed]:
        """Return sends with a lower number that did not come back as an event, the newest first."""
        query = None if wanted.words is None else Query.of(wanted.words)
        at_once = limit if query is None else max(limit, _SENDS_SEARCHED)
        found: list[_Timed] = []
        is_all = False
        while len(found) < limit and not is_all:
            rows = await part.outbox.find(
                SendQuery(
                    states=_SAID, chats=wanted.chats, before=before, since=wanted.since, until=wanted.until,
                    limit=at_once,
                )
            )  # fmt: skip
            fitting = [row for row in rows if query is None or query.finds(cut(row.text))]
            came_back = await self._events_of(part, wanted, fitting)
            found += [
                _Timed(row.created_at, row)
                for row in fitting
                if row.receipt is None or row.receipt.message_id not in came_back
            ]
            before, is_all = (rows[-1].number if rows else before), len(rows) < at_once
        return _in_order(found[:limit])

    @staticmethod
    async def _events_of(part: AccountJournal, wanted: _HistoryQuery, sends: list[Outgoing]) -> set[str]:
        """Return the message ids of the sends that came back as an event which the caller wants as well."""
        ids = tuple(row.receipt.message_id for row in sends if row.receipt is not None)
        if not ids:
            return set()
        query = EntryQuery(
            message_ids=ids, chats=wanted.chats, since=wanted.since, until=wanted.until, limit=_NAMESAKES * len(ids)
        )
        return {entry.message_id for entry in await part.find(query)}

    async def find_message(self, which: str | int) -> Event | None:
        part = await self._updates.readable_part()
        entry = await (find_entry(part, which) if isinstance(which, int) else find_message(part, which))
        return None if entry is None else await self.event_of(entry)

    async def read_events(self, after: int, *, since: float, until: float, limit: int) -> list[Event]:
        """Return the events after a number, in the order of arrival."""
        part = await self._updates.readable_part()
        return await self.events_of(await part.find(EntryQuery(after=after, since=since, until=until, limit=limit)))

    async def list_sends(
        self, *states: State, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Outgoing]:
        part = await self._updates.readable_part()
        query = SendQuery(states=states, chats=await self.chats(part, chat), limit=limit, before=before)
        return await part.outbox.find(query)

    async def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        part = await self._updates.readable_part()
        return await find_send(part.outbox, key=key, number=number, client_id=client_id, message_id=message_id)

    async def was_sent_here(self, message: Message | MessageRecalled) -> bool:
        """Return whether a message of this account was sent by this library."""
        if not message.is_self:
            return False
        outbox = (await self._updates.readable_part()).outbox
        while True:
            on_their_way = await outbox.find(SendQuery(states=("sending",), chats=(message.chat,), limit=1))
            if await find_send(outbox, message_id=message.message_id) is not None:
                return True
            if not on_their_way:
                return False
            await asyncio.sleep(_POLL_INTERVAL)

    async def forget_send(self, number: int) -> bool:
        """Delete a send from the outbox, which frees its key; return False if the send is unknown or in progress."""
        return await (await self._updates.readable_part()).outbox.remove(number)

    async def find_people(self, ids: Iterable[str]) -> Contacts:
        wanted = dict.fromkeys(map(ContactId, ids))
        known = [contact for each in wanted if (contact := self._book.contacts.get(each)) is not None]
        unknown = [each for each in wanted if each not in self._book.contacts]
        earlier = await (await self._updates.readable_part()).people(unknown) if unknown else []
        return Contacts([*earlier, *known])

    async def export_history(self) -> AsyncGenerator[Event | Outgoing, None]:
        part = await self._updates.readable_part()
        sends = await part.outbox.find(SendQuery(limit=_ALL))
        message_ids = {send.receipt.message_id for send in sends if send.receipt is not None}
        came_back: set[str] = set()
        async for entry in export_entries(part):
            if entry.message_id in message_ids:
                came_back.add(entry.message_id)
            yield await self.event_of(entry)
        for send in reversed(sends):
            if send.receipt is None or send.receipt.message_id not in came_back:
                yield send

    async def purge_history(self, chat: To | None = None, *, before: float = 0) -> int:
        part = await self._updates.readable_part()
        return await part.purge(before=before, chats=await self.chats(part, chat))

    async def purge_kept(self, *, before: float = 0) -> int:
        return await (await self._updates.readable_part()).media.drop(before=before)

    async def chats(self, part: AccountJournal, chat: To | None) -> tuple[ContactId, ...]:
        """
        Return all ids that a chat has had; an empty tuple for all chats.

        Raises:
            UnknownContact: No contact ever had that name or number, or several had.
        """
        if chat is None:
            return ()
        if isinstance(chat, int | Identity):
            identity = await self._identities.numbered(part, chat)
            numbered = await contact_ids_of(part.identities, identity.number)
            if not numbered:  # no id at all would mean all chats
                raise UnknownContact(f"Number {identity.number} ({identity.name!r}) has no chat in this login.")
            return tuple(numbered)
        contact_id = self._identities.id_meant(chat)
        if contact_id is None:
            return await self._chats_called(part, str(chat))
        found = await find_identity_of(part.identities, contact_id)
        ids = dict.fromkeys(
            [contact_id, *(() if found is None else await contact_ids_of(part.identities, found.number))]
        )
        known = self._book.contacts.get(contact_id)
        name = known.remark or known.nickname if known else ""
        if name and not is_lasting(contact_id):
            # Contacts of journals without identities have a name only; a namesake in this login is not meant.
            earlier = [each for each in await part.chats_named(name) if each not in self._book.contacts]
            ids |= dict.fromkeys([each for each in earlier if await find_identity_of(part.identities, each) is None])
        return tuple(ids)

    async def _chats_called(self, part: AccountJournal, name: str) -> tuple[ContactId, ...]:
        """
        Return all ids of the contact that had a name in an earlier login.

        Raises:
            UnknownContact: No contact had that name, or several had.
        """
        ids: dict[ContactId, None] = dict.fromkeys(await part.chats_named(name))
        if not ids:
            raise UnknownContact(f"No contact in the journal has or had the name {name!r}.")
        numbers = {
            identity.number for each in ids if (identity := await find_identity_of(part.identities, each)) is not None
        }
        if len(numbers) > 1:
            listed = ", ".join(map(str, sorted(numbers)))
            raise UnknownContact(
                f"{len(numbers)} contacts have or had the name {name!r}; use one of the numbers: {listed}."
            )
        for number in numbers:
            ids |= dict.fromkeys(await contact_ids_of(part.identities, number))
        return tuple(ids)

    async def event_of(self, entry: Entry) -> Event:
        """Return the event of an entry, completed from the journal and the contacts."""
        (event,) = await self.events_of([entry])
        return event

    async def events_of(self, entries: Iterable[Entry]) -> list[Event]:
        """Return the events of entries, completed from the journal and the contacts."""
        events: list[Event] = []
        for entry in entries:
            event = event_from_item(entry.item, entry.own_id, entry.read)
            match event:
                case TextMessage():  # most are one; testing it first takes half the time
                    pass
                case SystemMessage(real_ids=real_ids) if real_ids:
                    contacts = await self.find_people(people_in_notice(event))
                    name_people(event, contacts, await self._owners(real_ids))
                case Message():
                    pass
                case MessageRecalled():
                    await self._add_original(event)
                case ContactChanged(contact=contact) as delivered:
                    # A change on the wire has fewer fields than the contact into which it was merged.
                    event = ContactChanged(contact=self._book.contacts.get(contact.id) or contact)
                    keep_raw_of(event, delivered)
            # No caller has the event yet, and a copy would double the cost.
            msgspec.structs.force_setattr(event, "number", entry.number)
            if entry.redelivered:
                msgspec.structs.force_setattr(event, "redelivered", True)
            if entry.is_backlog:
                msgspec.structs.force_setattr(event, "backlog", True)
            events.append(event)
        return events

    async def _owners(self, real_ids: Iterable[str]) -> dict[str, Contact]:
        """Return the contacts of this login with these real ids, by these ids, and names of those of other logins."""
        owners: dict[str, Contact] = {}
        for real_id in real_ids:
            identities = (await self._updates.readable_part()).identities
            match await identities.find(IdentityQuery(real_id=real_id)):
                case [identity]:
                    owners[real_id] = Contact(id=identity.contact_id, nickname=identity.name)
        return owners

    async def _add_original(self, recall: MessageRecalled) -> None:
        """Set the recalled message of a recall that no caller has yet, if the journal has the message."""
        part = await self._updates.readable_part()
        found = await find_message(part, recall.message_id)
        original = None if found is None else event_from_item(found.item, found.own_id)
        if found is not None and isinstance(original, Message):
            msgspec.structs.force_setattr(original, "number", found.number)
            msgspec.structs.force_setattr(recall, "original", original)
