"""
The migration of a schema to this version, while processes of the version before it continue.

Version 100 is the exception: its migration is one transaction, which is refused while processes of the former version
use the database.

An index is built without a lock that would stop the writers (`CREATE INDEX CONCURRENTLY`), so not in a transaction. If
that is interrupted, an invalid index is left, which is deleted and built again. The version is stored when all of a
step is done, so a migration that was interrupted continues where it was.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from webwx.errors import StorageError
from webwx.storage.database_url import check_database_url, describe_database
from webwx.storage.postgres.database import SETTINGS, TIMEOUT, disconnect, explained, open_connection
from webwx.storage.postgres.schema import (
    FIRST,
    FORMER,
    FROM_FORMER,
    LOCK,
    MIGRATIONS,
    VERSION,
    MigrationNeeded,
    require_complete,
    require_tables,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.storage.postgres.database import Connection
    from webwx.storage.postgres.schema import Migration

_AGAIN = 1.0
"""Seconds between two attempts to get a lock, or between two looks at the version."""

_SETTINGS = SETTINGS | {
    "application_name": "webwx storage migrate",
    "statement_timeout": "0",
    # The change of a table waits for transactions that use it, and all later ones wait for the change.
    "lock_timeout": "2s",
}

_IS_USED = """
SELECT EXISTS (SELECT FROM workers WHERE expires > now()) OR EXISTS (
    SELECT FROM (SELECT lock FROM consumers WHERE is_open UNION ALL SELECT lock FROM saved_logins) AS known
    JOIN pg_locks AS held ON held.locktype = 'advisory' AND held.objsubid = 1
        AND held.classid::bigint << 32 | held.objid::bigint = known.lock
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""
"""Whether a worker, a reader of events or a login is at work."""

_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"

_log = logging.getLogger("webwx.storage")


class Upgraded(NamedTuple):
    """The versions of the tables before and after a migration."""

    before: int
    """0 for an empty schema."""
    after: int


async def upgrade(url: str, report: Callable[[str], object]) -> Upgraded:
    """
    Migrate a database to this version, without a limit of time.

    Args:
        url: The URL of the database.
        report: Called with a sentence about each step that begins.

    Raises:
        InvalidSettings: The URL is not valid.
        StorageError: The migration was interrupted, and can be continued; or processes of the version before 100 use
            the database; or the schema is of a newer or a too old version, or from before version 100 was complete.
    """
    check_database_url(url)
    place = describe_database(url)
    with explained(place, "migrated"):
        connection = await open_connection(url, _SETTINGS, TIMEOUT, statements_end=False)
        try:
            # A statement that waits for the lock would be a transaction, for whose end the build of an index waits.
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 - of the server
                await asyncio.sleep(_AGAIN)
            before = await version_of(connection, place)
            if before == 0:
                report("The tables are created.")
                await require_tables(connection, place)
                return Upgraded(before, VERSION)
            if before >= FIRST:
                await require_complete(connection, place)
            if before == FORMER:
                report(f"Version {FIRST} is made.")
                await _repeated(lambda: _migrate_former(connection, place))
            first = max(before, FIRST)
            for number, migration in enumerate(MIGRATIONS[first - FIRST :], first + 1):
                report(f"Version {number} is made.")
                await _step(connection, migration, number, report)
            return Upgraded(before, VERSION)
        finally:
            await disconnect(connection)


async def wait_for_tables(url: str) -> None:
    """
    Return once the tables are of this version; create those of an empty schema.

    Raises:
        InvalidSettings: The URL is not valid.
        StorageError: The database cannot be reached, or a newer webwx has written the schema.
    """
    check_database_url(url)
    place, is_logged = describe_database(url), False
    while True:
        with explained(place, "read"):
            connection = await open_connection(url, SETTINGS, TIMEOUT)
            try:
                await require_tables(connection, place)
            except MigrationNeeded as error:
                if not is_logged:
                    _log.warning("This process waits for the migration of its database: %s", error)
                is_logged = True
            else:
                return
            finally:
                await disconnect(connection)
        await asyncio.sleep(_AGAIN)


async def _migrate_former(db: Connection, place: str) -> None:
    """
    Migrate the last version before 100, in one transaction.

    Raises:
        StorageError: Other processes use the database.
    """
    async with db.transaction():
        await db.execute("LOCK TABLE webwx_schema")  # processes that start meanwhile wait, and are refused then
        if await db.fetchval(_IS_USED):
            raise StorageError(
                f"Processes of the version before use {place}: stop all of them, run this command again, and start "
                "them with the new version. A process that was killed counts until its lease ends."
            )
        await db.execute(FROM_FORMER)
        await db.execute("UPDATE webwx_schema SET version = $1", FIRST)


async def _step(db: Connection, migration: Migration, version: int, report: Callable[[str], object]) -> None:
    """Migrate to the next version."""
    stored = f"UPDATE webwx_schema SET version = {version}"  # noqa: S608 - a number
    *before, last = migration.statements or ("",)
    for change in before:
        await _repeated(lambda change=change: db.execute(change))  # type: ignore[misc]
    # Statements that are sent together are one transaction.
    await _repeated(lambda: db.execute(last + ("" if migration.indexes else stored)))
    for name, definition in migration.indexes.items():
        is_valid = await db.fetchval(_IS_VALID, name)
        if is_valid is False:
            report(f"The index {name} was not completed, and is deleted.")
            await _repeated(lambda name=name: db.execute(f"DROP INDEX CONCURRENTLY {name}"))  # type: ignore[misc]
        if not is_valid:
            report(f"The index {name} is built.")
            await db.execute("SET lock_timeout = 0")  # it does not stop writers, so it may wait for them
            await db.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
            await db.execute(f"SET lock_timeout = '{_SETTINGS['lock_timeout']}'")
    if migration.indexes:
        await db.execute(stored)


async def _repeated(change: Callable[[], Awaitable[object]]) -> None:
    """Make a change again until its locks are free; meanwhile the others continue."""
    while True:
        try:
            await change()
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_AGAIN)
        else:
            return
