"""The stored conversations of consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.model.contacts import ContactId
from webwx.storage.base import ConversationRow
from webwx.storage.sqlite.bulk import as_list, insert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

_COLUMNS = "key, step, content, chat, deadline, changed_at"


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


def read_conversation(db: sqlite3.Connection, consumer: int, key: str) -> ConversationRow | None:
    """Return a conversation; None for an unknown key."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM conversations WHERE consumer = ? AND key = ?",  # noqa: S608 - columns only
        (consumer, key),
    ).fetchone()
    return None if found is None else _row(found)


def read_conversations(db: sqlite3.Connection, consumer: int, limit: int) -> list[ConversationRow]:
    """Return conversations of a consumer, up to a maximum number."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM conversations WHERE consumer = ? LIMIT ?",  # noqa: S608 - columns only
        (consumer, limit),
    )
    return [_row(each) for each in found.fetchall()]


def read_deadlines(db: sqlite3.Connection, consumer: int, limit: int) -> list[ConversationRow]:
    """Return the conversations of a consumer with a deadline, the earliest first."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM conversations WHERE consumer = ? AND deadline IS NOT NULL"  # noqa: S608 - columns only
        " ORDER BY deadline LIMIT ?",
        (consumer, limit),
    )
    return [_row(each) for each in found.fetchall()]


def delete_conversations(
    db: sqlite3.Connection, *, before: float = 0, account: int | None = None, chats: Collection[str] = ()
) -> None:
    """Delete conversations by their last change and deadline, by account and by chat; without conditions, all."""
    condition, values = "TRUE", list[object]()
    if account is not None:
        condition += " AND consumer IN (SELECT consumer FROM consumers WHERE account = ?)"
        values.append(account)
    if before:
        condition += " AND max(changed_at, coalesce(deadline, 0)) < ?"
        values.append(before)
    if chats:
        condition += " AND chat IN (SELECT value FROM json_each(?))"
        values.append(as_list(chats))
    db.execute(f"DELETE FROM conversations WHERE {condition}", values)  # noqa: S608 - conditions only


def _row(found: tuple[str, str, bytes, str, float | None, float]) -> ConversationRow:
    key, step, content, chat, deadline, changed_at = found
    return ConversationRow(
        key=key, step=step, values=content, chat=ContactId(chat), deadline=deadline, changed_at=changed_at
    )
