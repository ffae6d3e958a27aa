"""Queries on top of the storage contract, the same for every engine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.model.events import event_from_item
from webwx.model.messages import MessageRecalled
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from webwx.model.contacts import ContactId
    from webwx.model.identities import Identity
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry
    from webwx.storage.tables.identities.store import StoredIdentities
    from webwx.storage.tables.outbox import Outbox, Outgoing

_READ = 500
"""Entries read at a time."""


async def find_entry(account: AccountJournal, number: int) -> Entry | None:
    """Return the entry with a number."""
    return next(iter(await account.find(EntryQuery(numbers=(number,), limit=1))), None)


async def find_message(account: AccountJournal, message_id: str) -> Entry | None:
    """Return the message with the platform's id; the newest if several messages have the same id."""
    return next(iter(await account.find(EntryQuery(message_id=message_id, limit=1))), None)


async def count_unread(account: AccountJournal, chats: Collection[ContactId]) -> int | None:
    """
    Return the number of unread messages in a chat; None if the journal has no message of the account in any chat.

    They are the messages of others after the last own message, after the last notice that the phone read or opened the
    chat, and after the last `mark_read`. Notices, recalled messages and those that could not be read do not count.

    Args:
        account: The account.
        chats: The ids of the chat, in all logins.
    """
    with contextlib.suppress(StorageError):  # then a send whose outcome cannot be stored now does not count yet
        await account.outbox.flush()
    position = await account.read_positions.highest(chats)
    later = await account.unread(chats, position)
    if not later.has_messages:
        return None
    events = (event_from_item(each.item, each.own_id) for each in later.notices)
    recalled = tuple({each.message_id for each in events if isinstance(each, MessageRecalled)} - {"", "0"})
    if not recalled or not later.count:
        return later.count
    query = EntryQuery(message_ids=recalled, chats=tuple(chats), after=position, limit=later.count)
    return later.count - len(await account.find(query))


async def export_entries(account: AccountJournal) -> AsyncIterator[Entry]:
    """Yield all entries in the order of arrival, reading a piece at a time."""
    after = 0
    while piece := await account.find(EntryQuery(after=after, limit=_READ)):
        for entry in piece:
            yield entry
        after = piece[-1].number


async def find_identity(store: StoredIdentities, number: int) -> Identity | None:
    """Return the identity with a number, or the one that it was merged into."""
    return next(iter(await store.find(IdentityQuery(number=number))), None)


async def find_identity_of(store: StoredIdentities, contact_id: ContactId) -> Identity | None:
    """Return the identity that has an id, or had it in any login."""
    return next(iter(await store.find(IdentityQuery(contact_id=contact_id))), None)


async def contact_ids_of(store: StoredIdentities, number: int) -> list[ContactId]:
    """Return every id that an identity has had, the newest first."""
    return [link.contact_id for link in await store.links(number)]


async def find_send(
    outbox: Outbox, *, number: int = 0, key: str = "", client_id: str = "", message_id: str = ""
) -> Outgoing | None:
    """Return the newest send that matches all arguments given; None without an argument."""
    if not (number or key or client_id or message_id):
        return None
    query = SendQuery(
        number=number or None, key=key or None, client_id=client_id or None, message_id=message_id or None, limit=1
    )
    return next(iter(await outbox.find(query)), None)
