"""Everything that an installation stores, in one PostgreSQL database: logins, journals and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import InvalidSettings
from webwx.override import override
from webwx.storage.account_folder import LoginName
from webwx.storage.base import RETENTION_DAYS
from webwx.storage.database_url import describe_database
from webwx.storage.leases import SharedStorage
from webwx.storage.passphrase import REQUIRED
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.logins import PostgresLogins
from webwx.storage.postgres.news import moved
from webwx.storage.postgres.records import PostgresRecordStore
from webwx.storage.postgres.send_files import PostgresSendFiles
from webwx.storage.transfer import release

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from webwx.storage.leases import ClusterMember, StorageNews
    from webwx.storage.postgres.journal import LoginJournal
    from webwx.storage.postgres.logins import PostgresLogin


class PostgresStorage(SharedStorage):
    """
    The storage of an installation in a database; `Storage` states the guarantees.

    Args:
        url: The URL of the database, as for `psql`.
        passphrase: Encrypts the saved logins; needs `webwx[crypto]`.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
        member: This process as a worker; None: it is not a worker.

    Raises:
        InvalidSettings: The URL is not valid.
    """

    def __init__(
        self, url: str, *, passphrase: str | None = None, retention_days: float = RETENTION_DAYS,
        member: ClusterMember | None = None,
    ) -> None:  # fmt: skip
        self._passphrase = passphrase
        self._journal = PostgresJournal(url, retention_days=retention_days, member=member)
        self._logins = PostgresLogins(self._journal.database)
        self._records = PostgresRecordStore(self._journal.database)
        self._place = describe_database(url)

    def __repr__(self) -> str:
        return f"PostgresStorage({self.place!r})"

    @property
    @override
    def place(self) -> str:
        return self._place

    def login(self, name: LoginName) -> PostgresLogin:
        """
        Return the store of a login.

        Raises:
            InvalidSettings: There is no passphrase.
            StorageError: `webwx[crypto]` is not installed.
        """
        return self._login(name, None)

    @override
    def owned_login(self, name: LoginName, account: int) -> PostgresLogin:
        return self._login(name, account)

    def _login(self, name: LoginName, account: int | None) -> PostgresLogin:
        if not self._passphrase:
            raise InvalidSettings(REQUIRED)
        return self._logins.login(str(name), passphrase=self._passphrase, account=account)

    def journal(self, name: LoginName) -> LoginJournal:
        """Return the journal of a login."""
        return self._journal.of_login(str(name))

    async def has_journal(self, name: LoginName) -> bool:
        """Return whether an account has logged in under a name."""
        return bool(await self._journal.accounts_of(str(name)))

    async def delete_journal(self, name: LoginName) -> None:
        """Delete the accounts that have logged in under a name."""
        await release(self.journal(name))
        for account in await self._journal.accounts_of(str(name)):
            await self._journal.delete_account(account)

    @override
    async def name_of(self, account: int) -> LoginName | None:
        name = await self._journal.name_of(account)
        return None if name is None else _parsed(name)

    @override
    async def accounts_by_name(self) -> dict[LoginName, int]:
        return {_parsed(name): account for name, account in (await self._journal.accounts_by_name()).items()}

    @override
    def moved(self) -> AsyncGenerator[StorageNews, None]:
        return moved(self._journal.database)

    @override
    def send_files(self, account: int) -> PostgresSendFiles:
        return PostgresSendFiles(account, self._journal.database)

    @override
    async def background_sends(self) -> dict[int, int]:
        rows = await self._journal.database.read(
            lambda db: db.fetch(
                "SELECT account, count(*) AS number FROM outbox WHERE background AND state = 'queued' GROUP BY account"
            )
        )
        return {row["account"]: row["number"] for row in rows}

    @override
    async def announce_sends(self, account: int) -> None:
        await self._journal.announce_sends(account)

    def records(self) -> PostgresRecordStore:
        """Return the records of the gateway."""
        return self._records

    async def list_logins(self) -> dict[LoginName, bytes | None]:
        """Return the stored form of each saved login."""
        return {_parsed(name): content for name, content in (await self._logins.list_logins()).items()}

    async def list_changes(self) -> dict[LoginName, int]:
        """Return the number of changes of each saved login."""
        return {_parsed(name): changes for name, changes in (await self._logins.list_changes()).items()}

    async def close(self) -> None:
        """Close the journal, and the connections of the logins and the records with it."""
        await self._journal.close()


def _parsed(name: str) -> LoginName:
    account, _, place = name.partition("/")
    return LoginName(account, place)
