"""The registry of all tables: schemas, copies, the deletion of an account and retention run from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.tables.consumers import ACKED_AHEAD, CONSUMERS, CRASHES
from webwx.storage.tables.conversations import CONVERSATIONS
from webwx.storage.tables.dead_letters import FAILURES
from webwx.storage.tables.engine_tables import BATCHES, CONTACTS, ENTRIES, LOGINS, NAMES
from webwx.storage.tables.identities.links import (
    EVIDENCE,
    IDENTITIES,
    LINKS,
    NEVER_MATCHED,
    ORIGINS,
    REAL_IDS,
)
from webwx.storage.tables.media import MEDIA
from webwx.storage.tables.outbox import OUTBOX
from webwx.storage.tables.read_positions import READ_POSITIONS
from webwx.storage.tables.records import AUDIT, RECORDS
from webwx.storage.tables.states import STATES
from webwx.storage.tables.timers import TIMERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.storage.engine.port import StoredTable

ALL = (
    LOGINS, BATCHES, ENTRIES, CONTACTS, NAMES, CONSUMERS, ACKED_AHEAD, FAILURES, CRASHES, CONVERSATIONS, OUTBOX, TIMERS,
    STATES, MEDIA, IDENTITIES, EVIDENCE, ORIGINS, LINKS, NEVER_MATCHED, REAL_IDS, READ_POSITIONS, RECORDS,
    AUDIT,
)  # fmt: skip
"""All tables, each after the one that its rows belong to."""

OF_ACCOUNTS = tuple(table for table in ALL if table.of)
"""The tables with rows of accounts, in the order in which a copy is written."""


def added_in(version: int, tables: Iterable[StoredTable]) -> list[StoredTable]:
    """Return those of some tables that a version has added, without those that each engine describes in its schema."""
    return [table for table in tables if table.since == version and table.ddl]
