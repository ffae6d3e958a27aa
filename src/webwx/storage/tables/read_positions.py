"""
The position up to which each chat was read, for the number of its unread messages.

A batch with an own message or a notice of the phone stores it, a confirmed send, and `mark_read`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from webwx.protocol.codec import clean_text
from webwx.storage.engine.port import Ageing, Select, StoredTable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from webwx.model.contacts import ContactId
    from webwx.storage.engine.port import Statements, Tables

EVERY_CHAT = ""
"""In place of a chat: the position up to which all chats count as read, because a migration found no other."""

READ_POSITIONS = StoredTable(
    name="read_positions",
    columns=("chat", "number", "time"),
    order="chat",
    since=101,
    ages=Ageing(time="time", is_counted=False),  # the messages up to such a position are as old, and deleted too
    ddl="""
CREATE TABLE read_positions (
    account bigint NOT NULL,
    chat text NOT NULL,                         -- by its id in a login; empty: all chats
    number bigint NOT NULL,                     -- of the last entry that was read
    time float8 NOT NULL,
    PRIMARY KEY (account, webwx_key(chat))
);
""",
)


class _EntryNumber(NamedTuple):
    number: int


_LAST = Select(_EntryNumber, "SELECT LAST_ENTRY AS number")

_HIGHEST = Select(
    _EntryNumber,
    "SELECT coalesce(max(number), 0) AS number FROM read_positions"
    " WHERE account = $0 AND webwx_key(chat) = ANY ($1::varchar[])",
)

_RAISE = """
ON CONFLICT (account, webwx_key(chat)) DO UPDATE SET
    number = greatest(read_positions.number, excluded.number), time = greatest(read_positions.time, excluded.time)
"""

_PUT = f"INSERT INTO read_positions (account, chat, number, time) VALUES ($0, $1, $2, $3){_RAISE}"  # noqa: S608 - a constant

MARK_CHAT_OF_SEND = f"""
INSERT INTO read_positions (account, chat, number, time)
SELECT account, chat, LAST_ENTRY, $2::float8 FROM outbox WHERE account = $0 AND number = $1 AND state = 'sent' {_RAISE}
"""  # noqa: S608 - a constant
"""Marks the chat of a send as read, by the send's number, if it is confirmed."""


class ReadPositions:
    """
    The positions up to which an account's chats were read.

    Args:
        tables: The account's tables.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __repr__(self) -> str:
        return "ReadPositions(***)"

    async def last_entry(self) -> int:
        """Return the last number that an entry had: the position of a chat that is read now."""
        return await self._tables.read(_last_entry)

    async def highest(self, chats: Collection[ContactId]) -> int:
        """Return the highest position of these ids, which are those of one chat; 0: it was never read."""
        wanted = [clean_text(each) for each in (EVERY_CHAT, *chats)]

        async def read(db: Statements) -> int:
            found = await db.one(_HIGHEST, wanted)
            return 0 if found is None else found.number

        return await self._tables.read(read)

    async def mark(self, chat: ContactId, number: int, time: float) -> None:
        """
        Store that a chat was read; any process may do so.

        Args:
            chat: The chat, by its id in a login.
            number: Number of the last entry that was read; a lower one than the stored one changes nothing.
            time: The current time, in seconds since 1970.

        Raises:
            StorageError: The position was not stored.
        """
        await self._tables.change(_PUT, clean_text(chat), number, time, by="any")


async def _last_entry(db: Statements) -> int:
    found = await db.one(_LAST)
    return 0 if found is None else found.number


async def keep_read_positions(db: Statements, positions: Mapping[ContactId, int], time: float) -> None:
    """Store the positions of chats that a batch marks as read, in the batch's transaction."""
    await db.change_each(_PUT, [(clean_text(chat), number, time) for chat, number in positions.items()])
