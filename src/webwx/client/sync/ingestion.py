"""Batches with a journal: each is stored together with the next position, and its changes of contacts are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.client.sync.sync_cursor import Position
from webwx.model.contacts import ContactId
from webwx.model.events import Arrived, ContactChanged, ContactDeleted, event_from_item, identify
from webwx.model.messages import PhoneActivity
from webwx.model.notices import says_too_often
from webwx.storage.entries import Arrival

if TYPE_CHECKING:
    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.contacts import ContactDirectory
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.poll_interval import PollInterval
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.client.sending.sender import Sender
    from webwx.flows.sync import Batch
    from webwx.model.contacts import Contact

_READING = frozenset({"read", "opened"})
"""Actions of the phone after which the messages of a chat are read."""


class _BatchSummary:
    """Content of a batch that the journal and the contacts need."""

    def __init__(self, began: int) -> None:
        self.began = began
        """Time before which messages count as backlog: seconds since 1970 (server's clock)."""
        self.arrived: list[Arrived] = []
        self.contacts: dict[str, Contact] = {}
        """Added and changed contacts, with their new fields."""
        self.gone: dict[ContactId, None] = {}
        """Ids of deleted contacts."""
        self.people: list[tuple[ContactId, ContactId | None]] = []
        """Chats of messages, each with its authors."""
        self.activities: list[PhoneActivity] = []
        self.reads: list[tuple[int, ContactId]] = []
        """Places of the items that show that a chat was read, each with the chat."""
        self.own_chats: set[ContactId] = set()
        """Chats in which this account has written."""
        self.changed_contacts = 0
        """Number of contacts with real changes."""
        self.is_too_often = False
        """Whether the batch has the platform's notice that this account acts too often."""


class Ingestion:
    """
    Stores batches in the journal.

    Args:
        session: The account's session.
        storage: The account's storage; it has a journal.
        book: The contacts of the present login.
        directory: Looks up contacts that appear in messages.
        updates: Matches contacts with identities.
        sender: Settles sends whose answer was lost.
        limiter: Receives notices that the account acts too often.
        interval: Counts batches and changes of contacts.
    """

    needs_body = True
    """Whether the bytes of a response are stored as well."""

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        book: ContactBook,
        directory: ContactDirectory,
        updates: IdentityUpdates,
        sender: Sender,
        limiter: Limiter,
        interval: PollInterval,
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._directory = directory
        self._updates = updates
        self._sender = sender
        self._limiter = limiter
        self._interval = interval

    async def store(self, batch: Batch, began: float) -> bool:
        """
        Store a batch together with its next position, and continue there; return whether more may wait.

        Args:
            batch: The batch.
            began: Seconds since 1970 (server's clock); older messages are backlog.

        Raises:
            StorageError: The batch was not stored, or the outcome is unknown.
        """
        session = self._session
        own_id = ContactId(session.login.user_id)
        has_moved = batch.fetch_key != session.login.fetch_key
        if batch.skey:
            # A key that is newer than the position does no harm; an older one may end the login.
            session.change(credentials=msgspec.structs.replace(session.login.credentials, skey=batch.skey))
            await session.save()
        position = Position(fetch_key=batch.fetch_key, check_key=batch.check_key)
        summary = self._summary_of(batch, own_id, int(began))
        count = await self._storage.part().ingest(
            Arrival(
                body=batch.body, items=tuple(summary.arrived), position=position.pack(), time=session.now(),
                contacts=tuple(summary.contacts.values()), deleted=tuple(summary.gone), reads=tuple(summary.reads),
            )
        )  # fmt: skip
        session.change(fetch_key=batch.fetch_key, check_key=batch.check_key)
        session.is_changed = True
        self._storage.notify()
        if summary.is_too_often:  # after storing: a batch that is not stored is fetched again
            await self._limiter.refused()
        self._updates.add(summary.contacts.values())
        for activity in summary.activities:
            self._updates.add_real_ids(activity)
        for chat, sender in dict.fromkeys(summary.people):
            if not self._book.contacts.knows(chat, sender):  # a complete list may have arrived meanwhile
                self._directory.look_up_unknown(chat, sender)
        await self._sender.settle_doubts(summary.own_chats)
        # Items other than messages have no id, so a repetition cannot be recognized.
        beside = sum(not each.message_id for each in summary.arrived)
        is_repeated = has_moved and count <= beside < len(summary.arrived)
        if is_repeated:
            self._interval.skip_known()
        may_wait = self._interval.count_batch(
            messages=count - beside, others=beside if has_moved else 0,
            repeated_to=batch.fetch_key if is_repeated else None,
        )  # fmt: skip
        for _ in range(summary.changed_contacts):
            self._interval.count_contact_change()
        return may_wait

    def _summary_of(self, batch: Batch, own_id: ContactId, began: int) -> _BatchSummary:
        """Return the summary of a batch, and apply its changes of contacts."""
        summary, contacts = _BatchSummary(began), self._book.contacts
        for item, raw in zip(batch.items, batch.delivered(), strict=True):
            arrived = identify(item, own_id, summary.began, raw)
            summary.arrived.append(arrived)
            chat = arrived.chat
            if chat:
                summary.people.append((chat, arrived.sender))
                if arrived.is_self:
                    summary.own_chats.add(chat)
                    if not arrived.is_notice:
                        summary.reads.append((len(summary.arrived) - 1, chat))
                if arrived.is_notice and arrived.time >= summary.began and not summary.is_too_often:
                    summary.is_too_often = says_too_often(event_from_item(item, own_id, arrived.read))
                continue
            # Events of messages are made when they are read; these items change contacts, or name chats of the phone.
            match event_from_item(item, own_id, arrived.read):
                case ContactChanged(contact=contact):
                    known = contacts.get(contact.id)
                    merged = summary.contacts[contact.id] = contacts.merge(contact)
                    summary.changed_contacts += merged != known
                    summary.gone.pop(merged.id, None)
                case ContactDeleted(id=gone):
                    summary.changed_contacts += gone in contacts
                    contacts.remove(gone)
                    summary.contacts.pop(gone, None)
                    summary.gone[gone] = None
                case PhoneActivity(recent=recent) as activity:
                    summary.people.extend((chat, None) for chat in recent)
                    summary.activities.append(activity)
                    if activity.action in _READING:
                        summary.reads.append((len(summary.arrived) - 1, activity.chat))
        return summary
