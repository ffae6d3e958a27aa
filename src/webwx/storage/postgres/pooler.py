"""
Detection of a pooler, such as PgBouncer, that lets several connections share a session of the server.

In its transaction mode, each transaction of a connection may be executed by another session. Locks of the session,
notifications and settings, which this engine relies on, then belong to whichever connection uses the session next.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webwx.errors import StorageError

if TYPE_CHECKING:
    import asyncpg


class SharedSessions(StorageError):
    """
    A pooler shares sessions of the server between connections.

    Args:
        place: Name of the database.
    """

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The journal in {place} cannot be used: a pooler before the database assigns a session of the server to "
            "each transaction, but webwx holds locks in its sessions; set the pooler to session mode "
            "(PgBouncer: pool_mode = session), or connect to PostgreSQL itself."
        )


async def is_pooled(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    """Return whether a pooler in any mode is before the server: it gave the connection another number of a process."""
    return not await _is_true(connection, f"pg_backend_pid() = {connection.get_server_pid()}")


async def share_sessions(
    one: asyncpg.Connection[asyncpg.Record], other: asyncpg.Connection[asyncpg.Record]
) -> bool:  # fmt: skip
    """
    Return whether one session may execute transactions of both connections.

    The one takes a lock of its session. The other gets it only if it is in the same session, and the one gets it again
    only if it is still there. On a busy server a shared session may stay undetected, so this is repeated.
    """
    key = secrets.randbits(63)
    turns = (one, other, one)
    taken = [await _is_true(each, f"pg_try_advisory_lock({key})") for each in turns]
    for each in turns:
        await each.execute(f"SELECT pg_advisory_unlock({key})")
    return taken != [True, False, True]


async def _is_true(connection: asyncpg.Connection[asyncpg.Record], condition: str) -> bool:
    """Evaluate a condition once, without a prepared statement, which a pooler may not know."""
    done: str = await connection.execute(f"SELECT FROM (SELECT {condition} AS is_so) AS found WHERE is_so")
    return done == "SELECT 1"
