"""Batches without a journal: their items are saved with the login until they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

import msgspec

from webwx.client.sync.recent_messages import MESSAGES, RecentMessages
from webwx.errors import LocalStateError
from webwx.flows.sync import MANY_TEXTS
from webwx.model.delivery import text_from_wire
from webwx.model.events import ContactChanged, ContactDeleted, event_from_item
from webwx.model.messages import Message, MessageRecalled, PhoneActivity, SystemMessage, TextMessage
from webwx.model.named_people import name_people

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.contacts import ContactDirectory
    from webwx.client.poll_interval import PollInterval
    from webwx.flows.sync import Batch
    from webwx.model.contacts import Contact, ContactId
    from webwx.model.messages import Event
    from webwx.model.raw_fields import TextAnswer


class PendingEvents:
    """
    Stores batches in the session, and turns their items into events.

    Args:
        session: The account's session, which saves the pending items.
        book: The contacts of the present login.
        directory: Looks up contacts that appear in messages.
        interval: Counts batches and messages.
    """

    needs_body = False
    """Whether the bytes of a response are stored as well."""

    def __init__(
        self, session: ClientSession, book: ContactBook, directory: ContactDirectory, interval: PollInterval
    ) -> None:
        self._session = session
        self._book = book
        self._meet = directory.look_up_unknown
        self._interval = interval
        self._recent = RecentMessages()
        self._answer: TextAnswer | None = None
        """The texts that this process has fetched and not delivered yet, as delivered: a saved text has few fields."""
        self._shared: list[ref[TextAnswer]] = []
        """The latest answers with many texts; a list, because even an empty deque takes 0.6 KB of each account."""
        self._real_ids: dict[str, ContactId] = {}
        """Id in this login of each real id that the phone has sent."""

    async def store(self, batch: Batch, began: float) -> bool:  # noqa: ARG002 - nothing is marked as backlog here
        """
        Append a batch to the pending items and save both keys with it, in one save; return whether more may wait.

        Raises:
            LocalStateError: The login could not be saved, and nothing has changed.
        """
        session = self._session
        login = session.login
        has_moved = batch.fetch_key != login.fetch_key
        changes: dict[str, object] = {"fetch_key": batch.fetch_key, "check_key": batch.check_key}
        if batch.skey:
            changes["credentials"] = msgspec.structs.replace(login.credentials, skey=batch.skey)
        session.change(**changes)
        try:
            await session.save(pending=(*session.pending, *batch.items))
        except LocalStateError:
            session.change(**{name: getattr(login, name) for name in changes})
            raise
        session.pending.extend(batch.items)
        self._share(batch)
        has_messages = any(item.kind == "message" for item in batch.items)
        return self._interval.count_batch(
            messages=0,  # `take` counts new messages
            others=len(batch.items) if has_moved else 0,
            repeated_to=batch.fetch_key if has_moved and has_messages else None,
        )

    def take(self, own_id: str) -> Event | None:
        """Remove the oldest pending item and return its event; None if the event was delivered before."""
        item = self._session.take_pending()
        event: Event
        if item.text is None:
            event = event_from_item(item, own_id)
            if isinstance(event, SystemMessage) and event.real_ids:
                name_people(event, self._book.contacts, self._owners(event.real_ids))
        else:
            event = text_from_wire(item.text, own_id, item.text, self._answer)
        if not self._session.pending:
            self._answer = None
        match event:
            case TextMessage() | Message():  # most are a `TextMessage`; testing it first takes half the time
                if not self._recent.is_new(event):
                    self._interval.skip_known()
                    return None
                self._interval.reset()
                self._recent.messages.append(event)
                if not self._book.contacts.knows(event.chat, event.sender):
                    self._meet(event.chat, event.sender)
            case MessageRecalled(message_id=gone):
                if not self._recent.is_new(event):
                    return None
                self._interval.reset()
                msgspec.structs.force_setattr(event, "original", self._recent.find(gone))
            case ContactChanged(contact=contact):
                contacts = self._book.contacts
                known = contacts.get(contact.id)
                merged = contacts.merge(contact)
                if merged != known:
                    self._interval.count_contact_change()
                msgspec.structs.force_setattr(event, "contact", merged)
            case ContactDeleted(id=gone):
                if gone in self._book.contacts:
                    self._interval.count_contact_change()
                self._book.contacts.remove(gone)
            case PhoneActivity(recent=recent, real_ids=real_ids):
                self._real_ids.update(zip(real_ids, recent, strict=False))
                for chat in recent:
                    self._meet(chat)
        return event

    def _share(self, batch: Batch) -> None:
        """Keep the texts of a batch as delivered, for its events; all events before it are delivered."""
        self._answer = answer = batch.text_answer()
        if answer is None or len(batch.items) < MANY_TEXTS:
            return
        self._shared.append(ref(answer))
        if len(self._shared) > MESSAGES // MANY_TEXTS:  # a program still keeps an event, and no recall needs others
            kept = self._shared.pop(0)()
            if kept is not None:
                kept.pack()

    def _owners(self, real_ids: Iterable[str]) -> dict[str, Contact]:
        """Return the contacts whose real ids the phone has sent, by these ids."""
        found = {each: self._book.contacts.get(self._real_ids.get(each, "")) for each in real_ids}
        return {each: contact for each, contact in found.items() if contact is not None}
