"""A check of a database that changes nothing, for `webwx doctor`."""

from __future__ import annotations

import time

import asyncpg
import msgspec

from webwx.storage.database_url import check_database_url
from webwx.storage.postgres.database import SETTINGS, open_connection
from webwx.storage.postgres.pooler import SharedSessions
from webwx.storage.postgres.schema import MIN_SERVER, VERSION
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.tables.body_checks import check_bodies

_TIMEOUT = 10.0
"""Seconds until the database counts as unreachable."""

_LONGEST_CHECK = 30.0
"""Seconds after which no more entries are read."""

_SHARED_SESSIONS = "a pooler before it shares its sessions; set it to session mode"


class DatabaseCheckup(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    problem: str = ""
    """Why there is no connection: a code of PostgreSQL, the type of the error, or a pooler; never an error's text."""
    server: str = ""
    """Version of PostgreSQL."""
    is_supported: bool = False
    """Whether webwx works with this version of PostgreSQL."""
    schema: int = 0
    """Version of the tables; 0 if there are none yet."""
    is_newer: bool = False
    """Whether a newer webwx has written the tables."""
    is_older: bool = False
    """Whether the tables have to be migrated."""
    has_btree_gin: bool = False
    """Whether the extension is installed, or can be installed by this user."""
    logins: int = 0
    """Number of saved logins."""
    accounts: int = 0
    """Number of accounts with stored messages."""
    unreadable: int = 0
    """Number of entries whose stored bytes are damaged."""
    is_checked: bool = True
    """Whether all stored bytes were read; a large database takes too long."""


async def check_up(url: str) -> DatabaseCheckup:
    """
    Connect to a database and look at its state.

    Raises:
        InvalidSettings: The URL is not valid.
    """
    check_database_url(url)
    try:
        connection = await open_connection(url, SETTINGS, _TIMEOUT)
    except SharedSessions:
        return DatabaseCheckup(problem=_SHARED_SESSIONS)
    except asyncpg.PostgresError as error:
        return DatabaseCheckup(problem=f"{type(error).__name__}, {error.sqlstate}")
    except (asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        return DatabaseCheckup(problem=type(error).__name__)
    try:
        return await _read_state(connection)
    except asyncpg.PostgresError as error:
        return DatabaseCheckup(problem=f"{type(error).__name__}, {error.sqlstate}")
    finally:
        await connection.close(timeout=_TIMEOUT)


async def _read_state(db: asyncpg.Connection[asyncpg.Record]) -> DatabaseCheckup:
    server = db.get_server_version()
    schema = 0
    if await db.fetchval("SELECT to_regclass('webwx_schema') IS NOT NULL"):
        schema = await db.fetchval("SELECT version FROM webwx_schema")
    has_tables = 0 < schema <= VERSION
    unreadable, is_checked = await _check_entries(db) if has_tables else (0, True)
    return DatabaseCheckup(
        server=f"{server.major}.{server.micro}",  # since version 10 the second number is `micro`
        is_supported=server.major >= MIN_SERVER,
        schema=schema,
        is_newer=schema > VERSION,
        is_older=0 < schema < VERSION,
        has_btree_gin=await db.fetchval(
            "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gin')"
            " OR EXISTS (SELECT FROM pg_available_extension_versions WHERE name = 'btree_gin' AND trusted)"
            " AND has_database_privilege(current_database(), 'CREATE')"
        ),
        logins=await db.fetchval("SELECT count(*) FROM saved_logins WHERE login IS NOT NULL") if has_tables else 0,
        accounts=await db.fetchval("SELECT count(*) FROM accounts") if has_tables else 0,
        unreadable=unreadable,
        is_checked=is_checked,
    )


async def _check_entries(db: asyncpg.Connection[asyncpg.Record]) -> tuple[int, bool]:
    """Return the number of entries that cannot be read, and whether there was time to read all."""
    until = time.monotonic() + _LONGEST_CHECK
    unreadable = 0
    for row in await db.fetch("SELECT account FROM accounts ORDER BY account"):
        after = 0
        while piece := await check_bodies(PostgresStatements(db, row["account"]), after):
            after = piece.last
            unreadable += sum(each.entries for each in piece.damaged)
            if time.monotonic() > until:
                return unreadable, False
    return unreadable, True
