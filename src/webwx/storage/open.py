"""
Open a journal by its URL: the only module outside the storage engines that imports them.

An engine is imported when its first journal is opened, so a program that stores nothing does not load a database.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from webwx.errors import InvalidSettings
from webwx.installation import install_command
from webwx.storage.base import RETENTION_DAYS
from webwx.storage.database_url import is_database_url
from webwx.storage.leases import DEFAULT_TIMES
from webwx.storage.tables.records import AUDIT_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from webwx.storage.account_folder import LoginName
    from webwx.storage.base import Journal, JournalFile, Storage
    from webwx.storage.leases import ClusterMember, Leases, LeaseTimes, SharedStorage
    from webwx.storage.postgres.checkup import DatabaseCheckup
    from webwx.storage.postgres.migration import Upgraded
    from webwx.storage.restored import RestoredStorage
    from webwx.storage.sqlite.checkup import Checkup
    from webwx.storage.tables.records import RecordStore
    from webwx.storage.transfer import JournalTransfer


def open_journal(url: str | os.PathLike[str], *, retention_days: float = RETENTION_DAYS) -> Journal:
    """
    Return the journal at a URL. Its file is created when it is first needed.

    Args:
        url: A path; or `sqlite:///` and a path (with a fourth slash if that is absolute); or `memory:`, for a new
            journal that is deleted at the end of the process; or `postgresql://` and a host and a database, as for
            `psql`, which needs `webwx[postgres]`.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.

    Raises:
        InvalidSettings: No engine supports such a URL.
    """
    place = os.fspath(url)
    if place == "memory:":
        from webwx.storage.sqlite.private import PrivateJournal

        return PrivateJournal(retention_days=retention_days)
    if is_database_url(place):
        _require_driver()
        from webwx.storage.postgres.journal import PostgresJournal

        return PostgresJournal(place, retention_days=retention_days)
    scheme, separator, rest = place.partition("://")
    if separator:
        if scheme != "sqlite" or not rest.startswith("/"):
            raise InvalidSettings(  # without the rest, which may contain a password
                f"No engine opens a journal at '{scheme}://'; use a path, sqlite:///PATH, "
                "postgresql://HOST/DATABASE or memory:."
            )
        place = unquote(rest[1:])
    return open_journal_file(place, retention_days=retention_days)


def open_storage(
    place: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    passphrase_from: Literal["keyring"] | None = None,
    retention_days: float = RETENTION_DAYS,
) -> Storage:
    """
    Return the storage of an installation: a folder, or a PostgreSQL database.

    Args:
        place: The path of a folder; or `postgresql://` and a host and a database, as for `psql`, which needs
            `webwx[postgres]`.
        passphrase: Encrypts the saved logins; needs `webwx[crypto]`. In a database they are always encrypted.
        passphrase_from: `keyring`: the system keyring stores a passphrase for each login; for a folder only.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.

    Raises:
        InvalidSettings: The URL is not valid, or no engine supports it.
    """
    text = os.fspath(place)
    if is_database_url(text):
        _require_driver()
        from webwx.storage.postgres.storage import PostgresStorage

        return PostgresStorage(text, passphrase=passphrase, retention_days=retention_days)
    scheme, separator, _ = text.partition("://")
    if separator:
        raise InvalidSettings(
            f"No engine opens a storage at '{scheme}://'; use a folder or postgresql://HOST/DATABASE."
        )
    from webwx.storage.sqlite.storage import SqliteStorage

    return SqliteStorage(
        text, passphrase=passphrase, passphrase_from=passphrase_from, retention_days=retention_days
    )  # fmt: skip


def _require_driver() -> None:
    try:
        import asyncpg  # noqa: F401 - checked here, so that the error names the package to install
    except ImportError:
        raise InvalidSettings(f"PostgreSQL needs the package asyncpg: {install_command('postgres')}.") from None


def _require_shared(url: str) -> None:
    if not is_database_url(url):
        raise InvalidSettings("Several machines can share only a database; use postgresql://HOST/DATABASE.")
    _require_driver()


def open_journal_file(path: str | os.PathLike[str], *, retention_days: float = RETENTION_DAYS) -> JournalFile:
    """
    Return the journal in a file, which is created when it is first needed.

    Args:
        path: The file.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
    """
    from webwx.storage.sqlite.journal import SqliteJournal

    return SqliteJournal(path, retention_days=retention_days)


def open_records(url: str | os.PathLike[str], *, audit_entries: int = AUDIT_ENTRIES) -> RecordStore:
    """
    Return the records at a URL. Their file is created when it is first needed.

    Args:
        url: A path; or `memory:`, for new records that are deleted at the end of the process; or `postgresql://` and
            a host and a database, as for `psql`, which needs `webwx[postgres]`.
        audit_entries: Maximum number of entries in the audit log.

    Raises:
        InvalidSettings: No engine supports such a URL.
    """
    place = os.fspath(url)
    if place == "memory:":
        from webwx.storage.sqlite.private import PrivateRecordStore

        return PrivateRecordStore(audit_entries=audit_entries)
    if is_database_url(place):
        _require_driver()
        from webwx.storage.postgres.database import PostgresDatabase
        from webwx.storage.postgres.records import PostgresRecordStore

        return PostgresRecordStore(PostgresDatabase(place), audit_entries=audit_entries)
    scheme, separator, _ = place.partition("://")
    if separator:
        raise InvalidSettings(
            f"No engine opens records at '{scheme}://'; use a path, postgresql://HOST/DATABASE or memory:."
        )
    from webwx.storage.sqlite.records import SqliteRecordStore

    return SqliteRecordStore(place, audit_entries=audit_entries)


def open_shared_storage(
    url: str, member: ClusterMember | None, *, passphrase: str | None = None, retention_days: float = RETENTION_DAYS
) -> SharedStorage:
    """
    Return the storage in a database that several machines share.

    Args:
        url: `postgresql://` and a host and a database, as for `psql`; needs `webwx[postgres]`.
        member: This process as a worker, which writes to its own accounts only. None: it is not a worker.
        passphrase: Encrypts the saved logins; needs `webwx[crypto]`.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.

    Raises:
        InvalidSettings: The URL is not valid, or no engine supports it.
    """
    _require_shared(url)
    from webwx.storage.postgres.storage import PostgresStorage

    return PostgresStorage(url, passphrase=passphrase, retention_days=retention_days, member=member)


def open_leases(url: str, times: LeaseTimes = DEFAULT_TIMES) -> Leases:
    """
    Return the leases of a database that several machines share.

    Args:
        url: `postgresql://` and a host and a database, as for `psql`; needs `webwx[postgres]`.
        times: Times of the leases; the same ones for all workers.

    Raises:
        InvalidSettings: No engine supports such a URL, or the times do not fit together.
    """
    times.check()
    _require_shared(url)
    from webwx.storage.postgres.leases import PostgresLeases

    return PostgresLeases(url, times)


async def upgrade_database(url: str, report: Callable[[str], object]) -> Upgraded:
    """
    Migrate the tables of a PostgreSQL database to this version, without a limit of time.

    Args:
        url: The URL of the database.
        report: Called with a sentence about each step that begins.

    Raises:
        InvalidSettings: The URL is not valid, or the driver is not installed.
        StorageError: The migration was interrupted; called again, it continues.
    """
    _require_driver()
    from webwx.storage.postgres import migration

    return await migration.upgrade(url, report)


async def wait_for_tables(url: str) -> None:
    """
    Return once the tables of a shared database are of this version, after `upgrade_database` in any process.

    Raises:
        InvalidSettings: No engine supports such a URL.
        StorageError: The database cannot be reached, or a newer webwx has written it.
    """
    _require_shared(url)
    from webwx.storage.postgres import migration

    await migration.wait_for_tables(url)


def open_restored(url: str) -> RestoredStorage:
    """
    Return a shared database that was restored to an earlier moment, to continue after that.

    Args:
        url: `postgresql://` and a host and a database, as for `psql`; needs `webwx[postgres]`.

    Raises:
        InvalidSettings: No engine supports such a URL.
    """
    _require_shared(url)
    from webwx.storage.postgres.restored import PostgresRestored

    return PostgresRestored(url)


def open_transfer(place: Path | str, login: LoginName) -> JournalTransfer:
    """
    Return one end of the copy of a journal.

    Args:
        place: The path of a file, or the URL of a PostgreSQL database.
        login: Name of the login, for a database.

    Raises:
        InvalidSettings: The URL is not valid, or the driver is not installed.
    """
    if isinstance(place, str):
        _require_driver()
        from webwx.storage.postgres.transfer import PostgresTransfer

        return PostgresTransfer(place, str(login))
    from webwx.storage.sqlite.transfer import SqliteTransfer

    return SqliteTransfer(place)


def check_up(path: Path) -> Checkup:
    """
    Check the journal in a file without changing it, also while other processes write to it.

    Raises:
        StorageError: The file cannot be opened, is not a journal, or is of another version.
    """
    from webwx.storage.sqlite import checkup

    return checkup.check_up(path)


async def check_up_database(url: str) -> DatabaseCheckup:
    """
    Check a PostgreSQL database without changing it.

    Raises:
        InvalidSettings: The URL is not valid, or the driver is not installed.
    """
    _require_driver()
    from webwx.storage.postgres import checkup

    return await checkup.check_up(url)


def copied(path: Path) -> AbstractContextManager[Path]:
    """
    Copy the journal in a file that cannot be opened in place, as on a full or read-only disk, until the context ends.

    Raises:
        StorageError: The file cannot be read, or there is no space for a copy.
    """
    from webwx.storage.sqlite import checkup

    return checkup.copied(path)


def is_any_at_work() -> bool:
    """Return whether a journal of this process has an unfinished job; a virtual clock stands still meanwhile."""
    engines = (sys.modules.get("webwx.storage.sqlite.threads"), sys.modules.get("webwx.storage.postgres.database"))
    return any(engine.is_any_at_work() for engine in engines if engine is not None)
