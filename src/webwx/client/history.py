"""Messages and sends from the journal. It needs no network and no login, and works during a sync."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import UnknownContact
from webwx.model.address_book import Contacts
from webwx.model.contacts import ContactId
from webwx.model.events import ContactChanged, event_from_item, is_quiet
from webwx.model.identities import Identity, is_lasting
from webwx.model.messages import Event, Message, MessageRecalled, TextMessage
from webwx.storage.base import EntryQuery, Outgoing, SendQuery
from webwx.storage.lookup import contact_ids_of, export_entries, find_entry, find_identity_of, find_message, find_send
from webwx.storage.tokenizer import Query, cut

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from webwx.client.contact_book import ContactBook
    from webwx.client.identities import AccountIdentities, To
    from webwx.client.identity_updates import IdentityUpdates
    from webwx.storage.base import AccountJournal, Entry, State

_SAID: tuple[State, ...] = ("sent", "sending", "unknown", "recalled")
"""States in which a send is part of the history: it was sent, or may have been sent."""

_POLL_INTERVAL = 0.2
"""Seconds between two reads of the state of a send in progress."""

_ALL = 2**62
"""A limit that no result reaches."""

_SENDS_SEARCHED = 10_000
"""Number of the newest sends that a search reads."""


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
        """Return messages, recalls, gaps and sends, the oldest first."""
        part = await self._updates.readable_part()
        chats = await self.chats(part, chat)
        found: list[tuple[Entry, Event]] = []
        oldest, is_all = before, False
        while len(found) < limit and not is_all:
            query = EntryQuery(chats=chats, before=oldest, since=since, until=until, limit=limit)
            page = (await part.find(query))[::-1]
            made = [(entry, await self.event_of(entry)) for entry in page]
            found[:0] = [each for each in made if not is_quiet(each[1])]
            oldest, is_all = (page[0].number if page else None), len(page) < limit
        is_all = is_all and len(found) <= limit
        found = found[-limit:]
        # Sends between the oldest of these events and the event of number `before`.
        end = None if before is None else await find_entry(part, before)
        between = SendQuery(
            states=_SAID, chats=chats, limit=limit, since=max(since, 0 if is_all else found[0][0].time),
            until=until if end is None else min(until or end.time, end.time),
        )  # fmt: skip
        sends = await part.outbox.find(between)
        came_back = {entry.message_id for entry, _ in found}
        messages: list[tuple[float, Event | Outgoing]] = []
        latest = 0
        for entry, event in found:  # in the order of arrival, even if a message is older than the one before
            latest = max(latest, entry.time)
            messages.append((latest, event))
        messages += [
            (send.created_at, send)
            for send in sends
            if send.receipt is None or send.receipt.message_id not in came_back
        ]
        messages.sort(key=lambda each: each[0])
        return [each for _, each in messages[-limit:]]

    async def search(
        self, words: str, *, chat: To | None = None, limit: int = 50, before: int | None = None
    ) -> list[Event | Outgoing]:
        """Return the messages and sends that contain all of these words, the newest first."""
        part = await self._updates.readable_part()
        chats = await self.chats(part, chat)
        found = await part.find(EntryQuery(words=words, chats=chats, before=before, limit=limit))
        messages: list[tuple[float, Event | Outgoing]] = [(entry.time, await self.event_of(entry)) for entry in found]
        if before is None:
            query = Query.of(words)
            came_back = {entry.message_id for entry in found}
            messages += [
                (send.created_at, send)
                for send in await part.outbox.find(SendQuery(states=_SAID, chats=chats, limit=_SENDS_SEARCHED))
                if query.finds(cut(send.text))
                and not (send.receipt is not None and send.receipt.message_id in came_back)
            ]
            messages.sort(key=lambda each: -each[0])
        return [each for _, each in messages[:limit]]

    async def find_message(self, which: str | int) -> Event | None:
        """Find a received event of any age; None if the journal does not have it."""
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
        """Return the sends of the outbox, the newest first, with their states."""
        part = await self._updates.readable_part()
        query = SendQuery(states=states, chats=await self.chats(part, chat), limit=limit, before=before)
        return await part.outbox.find(query)

    async def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """Find a send of the outbox by its key, number or id; None if no send matches."""
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
        """Find the contacts that had these ids, in this login or an earlier one."""
        wanted = dict.fromkeys(map(ContactId, ids))
        known = [contact for each in wanted if (contact := self._book.contacts.get(each)) is not None]
        unknown = [each for each in wanted if each not in self._book.contacts]
        earlier = await (await self._updates.readable_part()).people(unknown) if unknown else []
        return Contacts([*earlier, *known])

    async def export_history(self) -> AsyncGenerator[Event | Outgoing, None]:
        """Yield the whole history, oldest first: all events, then the sends that did not come back as an event."""
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
        """Delete events and sends permanently, and return their number; `chat` or `before` is required."""
        part = await self._updates.readable_part()
        return await part.purge(before=before, chats=await self.chats(part, chat))

    async def purge_kept(self, *, before: float = 0) -> int:
        """Delete archived media, but not their messages; return the number of messages."""
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
                raise UnknownContact(f"Number {identity.number} ({identity.name}) has no chat in this login.")
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
                case TextMessage() | Message():  # most are a `TextMessage`; testing it first takes half the time
                    pass
                case MessageRecalled():
                    event = await self._with_original(event)
                case ContactChanged(contact=contact):
                    # A change on the wire has fewer fields than the contact into which it was merged.
                    event = ContactChanged(contact=self._book.contacts.get(contact.id) or contact)
            # No caller has the event yet, and a copy would double the cost.
            msgspec.structs.force_setattr(event, "number", entry.number)
            if entry.redelivered:
                msgspec.structs.force_setattr(event, "redelivered", True)
            if entry.is_backlog:
                msgspec.structs.force_setattr(event, "backlog", True)
            events.append(event)
        return events

    async def _with_original(self, recall: MessageRecalled) -> MessageRecalled:
        """Return a recall with the recalled message, if the journal has it."""
        part = await self._updates.readable_part()
        found = await find_message(part, recall.message_id)
        original = None if found is None else event_from_item(found.item, found.own_id)
        if found is None or not isinstance(original, Message):
            return recall
        original = msgspec.structs.replace(original, number=found.number)
        return msgspec.structs.replace(recall, original=original)
