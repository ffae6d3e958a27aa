"""
The tables that each engine describes and fills in its own way, because the speed of what arrives depends on them.

What an account has in them is described here, for copies and deletions.
"""

from __future__ import annotations

from webwx.storage.engine.port import StoredTable

LOGINS = StoredTable(
    name="logins",
    columns=("own_id", "position", "opened_at", "last_at", "last_body", "complete_digest"),
    order="login",
)

BATCHES = StoredTable(name="batches", columns=("batch", "time", "body"), order="batch")

ENTRIES = StoredTable(
    name="entries",
    columns=(
        "number", "login", "batch", "kind", "is_backlog", "is_quarantined", "is_notice", "start", "length", "digest",
        "time", "message_id", "chat", "raw",
    ),
)  # fmt: skip

CONTACTS = StoredTable(name="contacts", of="login", columns=("id", "contact"))

NAMES = StoredTable(name="names", of="login", columns=("name", "id"), order="name, id")
