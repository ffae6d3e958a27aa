"""
Saved logins in a PostgreSQL database.

With a passphrase a login is encrypted before it leaves the process, as in a file, so the database and its backups do
not give access to the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import AlreadyRunning, InvalidLogin
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact
from webwx.override import override
from webwx.storage.encryption import UNREADABLE, LoginCipher, read_encrypted
from webwx.storage.postgres.database import hold, new_lock, transaction
from webwx.storage.postgres.gathered import GatheredReads
from webwx.storage.saved_login import LOGIN_VERSION, LoginStore, SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.storage.postgres.database import Connection, PostgresDatabase

T = TypeVar("T")

_STORE = "UPDATE saved_logins SET login = $2, changes = changes + 1 WHERE name = $1"

_NEWEST = "SELECT login FROM saved_logins WHERE login IS NOT NULL ORDER BY changes DESC LIMIT 1"
"""Any stored login; the order makes it the same one as long as the others change less."""

_ROWS = """
SELECT a.place, s.login, s.lock FROM unnest($1::varchar[]) WITH ORDINALITY a (name, place)
JOIN saved_logins s ON s.name = a.name
"""

_QUICK = 64 * 1024
"""Maximum number of bytes of a login that is decoded or encoded without a thread."""

_IS_SAVED = r"login IS NOT NULL AND name !~ '\.invalid-\d+$'"
"""Condition for a login that was not set aside."""


_LOGIN, _CONTACTS = msgspec.json.Decoder(SavedLogin), msgspec.json.Decoder(list[Contact])
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class PostgresLogins:
    """
    The saved logins of one database.

    Args:
        database: The connections, which `close` closes.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._rows = GatheredReads(database, _ROWS)
        self._seals: dict[str, LoginCipher] = {}
        """The encryption with each passphrase, shared by all logins: deriving a key takes a tenth of a second."""

    def __repr__(self) -> str:
        return f"PostgresLogins({self._database!r})"

    def login(self, name: str, *, passphrase: str | None = None, account: int | None = None) -> PostgresLogin:
        """
        Return the login with a name, which need not exist yet.

        Args:
            name: Name of the login, such as an account name with the server or profile.
            passphrase: Encrypts the login and its contacts; needs `webwx[crypto]`.
            account: The account of the login, if this process owns it: changes raise `NotOwner` once another worker
                owns it.

        Raises:
            StorageError: `webwx[crypto]` is not installed, or the passphrase is empty.
        """
        cipher = None if passphrase is None else self._cipher(passphrase)
        return PostgresLogin(name, self._database, self._rows, cipher, account)

    def _cipher(self, passphrase: str) -> LoginCipher:
        if passphrase not in self._seals:
            self._seals[passphrase] = LoginCipher(passphrase)
        return self._seals[passphrase]

    async def list_logins(self) -> dict[str, bytes]:
        """Return the stored form of every saved login, by its name."""
        query = f'SELECT name, login FROM saved_logins WHERE {_IS_SAVED} ORDER BY name COLLATE "C"'  # noqa: S608 - a constant
        rows = await self._database.read(lambda db: db.fetch(query))
        return {row["name"]: row["login"] for row in rows}

    async def list_changes(self) -> dict[str, int]:
        """Return the number of changes of every saved login, by its name."""
        query = f"SELECT name, changes FROM saved_logins WHERE {_IS_SAVED}"  # noqa: S608 - a constant
        rows = await self._database.read(lambda db: db.fetch(query))
        return {row["name"]: row["changes"] for row in rows}

    async def close(self) -> None:
        """Close the connections; later calls raise `StorageError`."""
        await self._database.close()


class PostgresLogin(LoginStore):
    """A login in a row; `LoginStore` states the guarantees."""

    def __init__(
        self, name: str, database: PostgresDatabase, rows: GatheredReads, cipher: LoginCipher | None,
        account: int | None,
    ) -> None:  # fmt: skip
        self._name = name
        self._rows = rows
        self._account = account
        self._database = database
        self._cipher = cipher

    def __repr__(self) -> str:
        return "PostgresLogin(***)"

    async def load(self) -> SavedLogin | None:
        """
        Return the saved login; None if no login is saved.

        Raises:
            InvalidLogin: The passphrase is wrong, or the row is damaged or of another version. A damaged one is
                renamed, so later calls return None.
        """
        rows = await self._rows.rows(self._name)
        content = rows[0]["login"] if rows else None
        try:
            return await self._read(content)
        except _DamagedRow:
            return await self._load_or_set_aside()

    async def prepare(self) -> None:
        """
        Prepare for `save`: create the row, and use the key of the other logins.

        Raises:
            StorageError: The database cannot be written.
        """
        if self._cipher is not None:
            other = await self._database.read(lambda db: db.fetchval(_NEWEST))
            encrypted = None if other is None else read_encrypted(other)
            if encrypted is not None:
                self._cipher.use_key_of(encrypted)
        await self._change(self._make)

    @override
    async def save(self, saved: SavedLogin) -> None:
        await self.prepare()
        content = await asyncio.to_thread(self._encoded, msgspec.json.encode(saved))
        await self._change(lambda db: db.execute(_STORE, self._name, content))

    async def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """
        Replace the saved login by the result of a function that gets it; do nothing if no login is saved.

        Raises:
            InvalidLogin: The saved login cannot be read, as in `load`.
            StorageError: The login cannot be written.
        """

        async def store(db: Connection) -> _DamagedRow | None:
            content = await self._content(db, "login", " FOR UPDATE")
            try:
                saved = await self._read(content)
            except _DamagedRow as damage:
                return damage
            if saved is not None:
                changed = msgspec.json.encode(change(saved))
                quick = self._is_quick(content) and len(changed) <= _QUICK
                stored = self._encoded(changed) if quick else await asyncio.to_thread(self._encoded, changed)
                await db.execute(_STORE, self._name, stored)
            return None

        if await self._change(store) is not None:
            await self._load_or_set_aside()

    @override
    async def reserve_id(self, at_least: int) -> int:
        async def reserve(db: Connection) -> int:
            await self._make(db)
            made: int = await db.fetchval(
                "UPDATE saved_logins SET last_id = greatest(last_id + 1, $2) WHERE name = $1 RETURNING last_id",
                self._name, at_least,
            )  # fmt: skip
            return made

        return await self._change(reserve)

    async def clear(self) -> None:
        """
        Delete the login and its contacts.

        Raises:
            StorageError: The row cannot be changed.
        """
        await self._change(
            lambda db: db.execute("UPDATE saved_logins SET login = NULL, contacts = NULL WHERE name = $1", self._name)
        )

    @contextlib.asynccontextmanager
    async def syncing(self) -> AsyncIterator[None]:
        """
        Hold the sync lock of this login on all machines; the lock ends with the process, even after a crash.

        Raises:
            AlreadyRunning: Another sync loop holds it; its process id is known if it is in this process.
        """
        locks = self._database.locks
        lock = 0

        async def take() -> bool:
            nonlocal lock
            lock = await self._lock()
            return await locks.take(lock)

        async def release(was_free: bool) -> None:
            if was_free:
                await locks.release(lock)

        if not await self._database.run(take, undo=release):
            if locks.holds(lock):
                raise AlreadyRunning("This process is already syncing this login.", pid=os.getpid())
            raise AlreadyRunning("Another process is syncing this login.")
        try:
            yield
        finally:
            await self._database.run(lambda: locks.release(lock))

    @override
    async def load_contacts(self) -> Contacts:
        content = await self._database.read(lambda db: self._content(db, "contacts"))
        return await asyncio.to_thread(self._decoded_contacts, content)

    def _decoded_contacts(self, content: bytes | None) -> Contacts:
        if content is None:
            return Contacts()
        try:
            return Contacts.packed(_CONTACTS.decode(self._opened(content)))
        except (InvalidLogin, *UNREADABLE):
            return Contacts()

    async def save_contacts(self, contacts: Contacts) -> None:
        """Store the contacts beside the login, replacing earlier ones."""

        def encoded() -> bytes:
            return self._encoded(b"[" + b",".join(map(msgspec.json.encode, contacts)) + b"]")

        content = await asyncio.to_thread(encoded)

        async def store(db: Connection) -> None:
            await self._make(db)
            await db.execute("UPDATE saved_logins SET contacts = $2 WHERE name = $1", self._name, content)

        await self._change(store)

    async def _change(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._database.run(lambda: self._changing(job))

    async def _changing(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a job in a transaction, in the thread of the connections."""

        async def store(db: Connection) -> T:
            async with transaction(db):
                if self._account is not None:
                    await hold(db, await self._database.fence_of(self._account))
                return await job(db)

        return await self._database.changing(store)

    async def _lock(self) -> int:
        """Return the key of the row's lock, in the thread of the connections; create the row if it is missing."""
        if self._account is not None:
            await self._database.fence_of(self._account)  # raises an error if this process does not own the account
        rows = await self._rows.reading(self._name)
        return rows[0]["lock"] if rows else await self._changing(self._make)

    async def _make(self, db: Connection) -> int:
        """Create the row if it is missing, and return the key of its lock."""
        await db.execute(
            "INSERT INTO saved_logins (name, lock) VALUES ($1, $2) ON CONFLICT DO NOTHING", self._name, new_lock()
        )
        lock: int = await db.fetchval("SELECT lock FROM saved_logins WHERE name = $1", self._name)
        return lock

    async def _content(self, db: Connection, column: str, locked: str = "") -> bytes | None:
        query = f"SELECT {column} FROM saved_logins WHERE name = $1{locked}"  # noqa: S608 - two columns
        content: bytes | None = await db.fetchval(query, self._name)
        return content

    async def _load_or_set_aside(self) -> SavedLogin | None:
        """Read the row under its lock; copy a damaged one to another name and clear it."""

        async def read(db: Connection) -> SavedLogin | str | None:
            content = await self._content(db, "login", " FOR UPDATE")
            try:
                return self._decoded(content)
            except _DamagedRow as damage:
                aside = f"{self._name}.invalid-{int(time.time())}"
                await db.execute(
                    "INSERT INTO saved_logins (name, login, lock)"
                    " SELECT $2, login, $3 FROM saved_logins WHERE name = $1 ON CONFLICT DO NOTHING",
                    self._name, aside, new_lock(),
                )  # fmt: skip
                await db.execute("UPDATE saved_logins SET login = NULL WHERE name = $1", self._name)
                return f"The saved login {damage}; it was renamed to {aside!r}, so log in again."

        found = await self._change(read)
        if isinstance(found, str):
            raise InvalidLogin(found)
        return found

    async def _read(self, content: bytes | None) -> SavedLogin | None:
        """Decode a login: at once, or in a thread if it is long, or its key is not derived yet."""
        return self._decoded(content) if self._is_quick(content) else await asyncio.to_thread(self._decoded, content)

    def _is_quick(self, content: bytes | None) -> bool:
        if content is None:
            return True
        return len(content) <= _QUICK and (self._cipher is None or self._cipher.has_key_of(content))

    def _decoded(self, content: bytes | None) -> SavedLogin | None:
        if content is None:
            return None
        try:
            saved = _LOGIN.decode(self._opened(content))
        except UNREADABLE:
            raise _DamagedRow("is damaged") from None
        if saved.version != LOGIN_VERSION:
            raise _DamagedRow(f"has version {saved.version}, this webwx reads {LOGIN_VERSION}")
        return saved

    def _opened(self, content: bytes) -> bytes:
        encrypted = read_encrypted(content)
        if encrypted is None:
            if self._cipher is not None and content.startswith(b"{"):
                raise InvalidLogin(
                    "The saved login is not encrypted, though a passphrase was given; delete it and log in again."
                )
            return content
        if self._cipher is None:
            raise InvalidLogin("The saved login is encrypted; give its passphrase.")
        return self._cipher.decrypt(encrypted)

    def _encoded(self, content: bytes) -> bytes:
        return content if self._cipher is None else self._cipher.encrypt(content)


class _DamagedRow(Exception):
    """The row does not hold a valid login; the text is the reason."""
