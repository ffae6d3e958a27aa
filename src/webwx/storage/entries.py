"""Entries: the items that arrived, as they are stored and found."""

from __future__ import annotations

import msgspec

from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Arrived, Item


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A batch to store in one transaction."""

    body: bytes
    """The platform's answer, with the session key removed."""
    items: tuple[Arrived, ...] = ()
    position: bytes | None
    """Position of the next fetch (opaque); None if the items did not come from a fetch: it does not change."""
    time: float
    """Time of arrival, in seconds since 1970."""
    own_id: ContactId = ContactId("")
    """The account's id in the login of these items; empty for the journal's current login."""
    contacts: tuple[Contact, ...] = ()
    """Contacts that were added or changed."""
    deleted: tuple[ContactId, ...] = ()
    """Ids of contacts that were deleted; their messages stay."""
    reads: tuple[tuple[int, ContactId], ...] = ()
    """The places in `items` of those that show that a chat was read, in their order, each with that chat."""

    def __repr__(self) -> str:
        return f"Arrival({len(self.items)} items)"


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stored item."""

    number: int
    """Position in the order of arrival; never used twice."""
    item: Item
    own_id: ContactId
    """The account's id in the login in which the item arrived."""
    message_id: str
    chat: ContactId
    time: int
    is_backlog: bool = False
    redelivered: bool = False
    """Whether this consumer may have received the entry before, in a process that has died since."""
    attempt: int = 1
    """Number of times that this consumer received the entry, as far as is known."""
    crashes: int = 0
    """
    Number of processes that crashed while the entry was in flight, as far as is known. From two on the entry may be a
    poison message: the reader handles it in isolation, with a poison marker. Three or more mean that a process crashed
    while it handled the entry in isolation.
    """
    read: msgspec.Struct | None = None
    """
    The decoded event, if the entry comes straight from the network and was decoded already. A reader may change it, so
    an entry that is delivered a second time does not have it.
    """

    def __repr__(self) -> str:
        return f"Entry({self.number})"


class UnreadEntries(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat has after the position up to which it was read."""

    has_messages: bool
    """Whether the account has a message in any chat."""
    count: int
    """Number of readable messages, without notices."""
    notices: list[Entry]
    """The notices, in the order of arrival; recalls are some of them."""

    def __repr__(self) -> str:
        return f"UnreadEntries({self.count})"


class EntryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """
    Conditions for entries to find: the newest entries that meet all of them, or with `after` the oldest.

    A reader with a cursor passes its number as `after` repeatedly: an empty result means that nothing has arrived yet.
    """

    numbers: tuple[int, ...] = ()
    """Only entries with one of these numbers; empty for all."""
    message_id: str | None = None
    """The platform's id of a message of any age; two messages may have the same id."""
    message_ids: tuple[str, ...] = ()
    """Only messages with one of these ids; empty for all."""
    words: str | None = None
    """Words that must all be in the message, split as by `tokenizer`; a text without a word finds nothing."""
    is_notice: bool = False
    """Only notices (the grey lines between messages), recalls included."""
    chats: tuple[ContactId, ...] = ()
    """Only these chats; empty for all."""
    before: int | None = None
    """Only entries with a lower number."""
    after: int | None = None
    """Only entries with a higher number."""
    since: float = 0
    """Not written before this time, in seconds since 1970."""
    until: float = 0
    """Not written after this time; 0 for no limit."""
    limit: int = 50
    """Maximum number of entries."""

    def __repr__(self) -> str:
        return "EntryQuery(***)"
