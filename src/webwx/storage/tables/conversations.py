"""The stored conversations of consumers; each engine stores their changes together with acknowledgements."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.storage.engine.port import Ageing, Select, StoredTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.engine.port import Statements, Tables


class ConversationRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one conversation of a consumer, such as a survey in one chat."""

    key: str
    """The scope of the state: a chat, a person in a chat, or any text that the consumer chooses."""
    step: str = ""
    """Name of the step that the conversation has reached; empty for none."""
    values: bytes = b""
    """The stored values, encoded by the consumer; empty for none."""
    chat: ContactId = ContactId("")
    """The chat of the last change, by its id in the login of that time."""
    deadline: float | None = None
    """Time at which the conversation times out: seconds since 1970; None: never."""
    changed_at: float = 0.0
    """Time of the last change, in seconds since 1970."""

    def __repr__(self) -> str:
        return "ConversationRow(***)"

    @property
    def is_empty(self) -> bool:
        """Whether the row has neither a step, nor values, nor a deadline; such a change deletes the conversation."""
        return not self.step and not self.values and self.deadline is None


class _StoredRow(NamedTuple):
    key: str
    step: str
    content: bytes
    chat: str
    deadline: float | None
    changed_at: float


CONVERSATIONS = StoredTable(
    name="conversations",
    of="consumer",
    columns=_StoredRow._fields,
    order="key",
    ages=Ageing(time="greatest(changed_at, coalesce(deadline, 0))", is_counted=False),
    ddl="""
CREATE TABLE conversations (
    consumer bigint NOT NULL,
    key text NOT NULL,
    step text NOT NULL,
    content bytea NOT NULL,                     -- the values, encoded by the consumer
    chat text NOT NULL,                         -- of the last change, by its id in that login
    deadline float8,                            -- NULL: it does not time out
    changed_at float8 NOT NULL,
    PRIMARY KEY (consumer, webwx_key(key))
);
CREATE INDEX conversations_deadline ON conversations (consumer, deadline) WHERE deadline IS NOT NULL;
""",
)

_OF_CONSUMER = "SELECT key, step, content, chat, deadline, changed_at FROM conversations WHERE consumer = $1"

_OF_KEY = Select(_StoredRow, f"{_OF_CONSUMER} AND webwx_key(key) = webwx_key($2)")

_SOME = Select(_StoredRow, f"{_OF_CONSUMER} LIMIT $2")

_BY_DEADLINE = Select(_StoredRow, f"{_OF_CONSUMER} AND deadline IS NOT NULL ORDER BY deadline LIMIT $2")


_STORE = """
INSERT INTO conversations (consumer, key, step, content, chat, deadline, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (consumer, webwx_key(key)) DO UPDATE SET step = excluded.step, content = excluded.content,
    chat = excluded.chat, deadline = excluded.deadline, changed_at = excluded.changed_at
"""

_DELETE = "DELETE FROM conversations WHERE consumer = $1 AND webwx_key(key) = ANY ($2::varchar[])"


async def write_conversations(db: Statements, consumer: int, changed: Collection[ConversationRow]) -> None:
    """Store the changed conversations of a consumer, each with another key; an empty row deletes one."""
    left = [
        _StoredRow(row.key, row.step, row.values, row.chat, row.deadline, row.changed_at)
        for row in changed
        if not row.is_empty
    ]
    if len(left) == len(changed) == 1:  # most commits are of one entry
        await db.change(_STORE, consumer, *left[0])
        return
    await db.change(_DELETE, consumer, [row.key for row in changed])
    await db.insert_all(CONVERSATIONS, left, owner=consumer)


class StoredConversations:
    """
    The stored conversations of one consumer.

    Args:
        tables: The tables.
        consumer: The consumer's row.
    """

    def __init__(self, tables: Tables, consumer: int) -> None:
        self._tables = tables
        self._consumer = consumer

    def __repr__(self) -> str:
        return "StoredConversations(***)"

    async def get(self, key: str) -> ConversationRow | None:
        """Return a conversation; None for an unknown key."""
        row = await self._tables.read(lambda db: db.one(_OF_KEY, self._consumer, key))
        return None if row is None else _conversation(row)

    async def some(self, limit: int) -> list[ConversationRow]:
        """Return conversations in no particular order, up to a limit."""
        return await self._list(_SOME, limit)

    async def by_deadline(self, limit: int) -> list[ConversationRow]:
        """Return the conversations with a deadline, the earliest first, up to a limit."""
        return await self._list(_BY_DEADLINE, limit)

    async def _list(self, select: Select[_StoredRow], limit: int) -> list[ConversationRow]:
        return [_conversation(row) for row in await self._tables.read(lambda db: db.all(select, self._consumer, limit))]


def _conversation(row: _StoredRow) -> ConversationRow:
    return ConversationRow(
        key=row.key, step=row.step, values=row.content, chat=ContactId(row.chat), deadline=row.deadline,
        changed_at=row.changed_at,
    )  # fmt: skip
