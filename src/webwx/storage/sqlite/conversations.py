"""Changes of the stored conversations of consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.sqlite.bulk import as_list, insert
from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection


def write_conversations(db: sqlite3.Connection, consumer: int, rows: Collection[ConversationRow]) -> None:
    """Store the changed conversations of a consumer, each with another key; an empty row deletes one."""
    insert(
        db,
        "conversations",
        [
            (consumer, row.key, row.step, row.values, row.chat, row.deadline, row.changed_at)
            for row in rows
            if not row.is_empty
        ],
        verb="INSERT OR REPLACE",
    )
    ended = [row.key for row in rows if row.is_empty]
    if ended:
        db.execute(
            "DELETE FROM conversations WHERE consumer = ? AND key IN (SELECT value FROM json_each(?))",
            (consumer, as_list(ended)),
        )
