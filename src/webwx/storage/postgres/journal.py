"""
The journal in a PostgreSQL database.

All connections belong to one thread (`database`); the classes here pass it jobs. A process writes to the accounts that
it owns, or without a fence to those that belong to no worker; any process reads any account.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.override import override
from webwx.protocol.codec import clean_text
from webwx.storage.base import RETENTION_DAYS, AccountJournal, AccountParts, Journal, JournalMeasures, OpenedLogin
from webwx.storage.batches import gap_between
from webwx.storage.entries import Arrival, Entry
from webwx.storage.postgres.archive import LocalCopies, PostgresMediaBytes
from webwx.storage.postgres.consumers import OpenConsumers, PostgresConsumer, forget_consumer, open_cursor
from webwx.storage.postgres.contacts import OpenRosters, PostgresRoster, decoded, keep_contacts, read_roster
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.deletion import delete_account
from webwx.storage.postgres.entries import QUARANTINED, AppendedBatch, Appender, append_now, read_numbers
from webwx.storage.postgres.gathered import GatheredReads
from webwx.storage.postgres.lookup import find_entries, find_unread
from webwx.storage.postgres.news import AnnouncedSends, Announcer
from webwx.storage.postgres.retention import PostgresRetention, purge
from webwx.storage.postgres.senders import PostgresAttempts, PostgresSender
from webwx.storage.postgres.tables import PostgresStatements, PostgresTables
from webwx.storage.tables.dead_letters import consumers_with_revivals
from webwx.storage.tables.identities.evidence import identify
from webwx.storage.tables.identities.store import MATCHED_WITH_LOGIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable
    from types import TracebackType
    from typing import Self

    from webwx.model.identities import Identified
    from webwx.storage.entries import EntryQuery, UnreadEntries
    from webwx.storage.leases import ClusterMember
    from webwx.storage.postgres.database import Connection


_NAMES = """
SELECT a.place, l.name FROM unnest($1::bigint[]) WITH ORDINALITY a (account, place) CROSS JOIN LATERAL (
    SELECT name FROM login_names n WHERE n.account = a.account ORDER BY opened_at DESC LIMIT 1
) l
"""

_POSITIONS = """
SELECT a.place, l.login, l.position, l.opened_at,
    EXISTS (SELECT FROM login_names n WHERE n.name = a.name AND n.account = a.account) AS is_named
FROM unnest($1::bigint[], $2::varchar[], $3::varchar[]) WITH ORDINALITY a (account, own_id, name, place)
JOIN logins l ON l.account = a.account AND l.own_id = a.own_id
"""


class PostgresJournal(Journal):
    """
    A journal in a PostgreSQL database.

    It is closed at the end of `async with PostgresJournal(url) as journal:`.

    Args:
        url: The URL of the database, as for `psql`; `search_path` in its query chooses a schema.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
        member: This process as a worker, which writes to its own accounts. None: it writes to those without a worker.
    """

    def __init__(
        self, url: str, *, retention_days: float = RETENTION_DAYS, member: ClusterMember | None = None
    ) -> None:  # fmt: skip
        self._database = PostgresDatabase(url, member, watch=self._watch)
        self._announcer = Announcer(self._database)
        self._announce = _do_not_announce if member is None else self._announcer.note_entries
        self._announced_sends = AnnouncedSends(self._database) if member is None else None
        """Announcements of changed sends; None in a worker, which makes the sends of its accounts itself."""
        self._appender = Appender(self._database, self._announce)
        self._sender = PostgresSender(self._database)
        self._copies = LocalCopies()
        self._retention = PostgresRetention(self._database, retention_days * 86_400, self._reached, copies=self._copies)
        self._consumers = OpenConsumers()
        self._rosters: dict[int, OpenRosters] = {}
        self._names = GatheredReads(self._database, _NAMES)
        self._positions = GatheredReads(self._database, _POSITIONS)

    def __repr__(self) -> str:
        return f"PostgresJournal({self._database!r})"

    async def __aenter__(self) -> Self:
        """Return the journal; the end of the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        await self.close()

    @property
    def database(self) -> PostgresDatabase:
        """The connections, which others may use until the journal is closed."""
        return self._database

    def account(self, uin: int, *, login: str = "") -> PostgresAccount:
        """
        Return an account's part.

        Args:
            uin: The account's number at the platform.
            login: Name of the saved login under which the account logs in; empty for none.
        """
        return PostgresAccount(
            uin, self._database, self._appender, self._sender, self._copies, login_name=clean_text(login),
            announce=self._announce, note_send=self._announcer.note_changed_send, retention=self._retention,
            consumers=self._consumers, rosters=self._rosters.setdefault(uin, OpenRosters()), positions=self._positions,
        )  # fmt: skip

    def of_login(self, name: str) -> LoginJournal:
        """Return the part of the journal that belongs to a saved login, by its name."""
        return LoginJournal(name, self)

    def _reached(self) -> dict[int, int]:
        """Return the number up to which each consumer of this process has read, by its row."""
        return {each.row: each.read_to for each in self._consumers.all()}

    async def _watch(self) -> None:
        """Notify consumers of dead letters that were revived, also by other processes."""
        consumers = {each.row: each for each in self._consumers.all()}
        if not consumers:
            return
        # Usually no dead letter was revived, which an index shows, and a worker has ten thousand consumers.
        rows = await self._database.reading(lambda db: consumers_with_revivals(PostgresStatements(db, None)))
        for row in rows & consumers.keys():
            consumers[row].look_soon()

    @override
    def fingerprint(self, uin: int) -> object:
        return None if self._announced_sends is None else self._announced_sends.fingerprint(uin)

    @override
    async def accounts(self) -> list[int]:
        rows = await self._database.read(
            lambda db: db.fetch(
                "SELECT account FROM accounts LEFT JOIN logins USING (account) GROUP BY account"
                " ORDER BY max(opened_at) DESC NULLS LAST"
            )
        )
        return [row["account"] for row in rows]

    async def announce_sends(self, account: int) -> None:
        """Announce to the readers of `moved` that sends of an account have changed."""
        await self._database.run(lambda: self._announcer.note_sends(account))

    async def accounts_of(self, login: str) -> list[int]:
        """Return the numbers of the accounts that logged in under a name, the latest login first."""
        rows = await self._database.read(
            lambda db: db.fetch("SELECT account FROM login_names WHERE name = $1 ORDER BY opened_at DESC", login)
        )
        return [row["account"] for row in rows]

    async def accounts_by_name(self) -> dict[str, int]:
        """Return the account that has last logged in under each name."""
        rows = await self._database.read(
            lambda db: db.fetch(
                "SELECT DISTINCT ON (name) name, account FROM login_names ORDER BY name, opened_at DESC"
            )
        )
        return {row["name"]: row["account"] for row in rows}

    async def name_of(self, account: int) -> str | None:
        """Return the name of the last login of an account; None if it has not logged in under a name."""
        names = await self._names.rows(account)
        return names[0]["name"] if names else None

    async def delete_account(self, account: int) -> None:
        """
        Delete all rows of an account that no process uses.

        Raises:
            NotOwner: A worker owns the account.
            StorageError: Not all rows were deleted.
        """
        await self._database.run(lambda: delete_account(self._database, account))

    async def close_consumers(self, accounts: Collection[int]) -> None:
        """Close the consumers of some accounts that this object has opened."""
        for account in accounts:
            for consumer in self._consumers.of(account):
                await consumer.close()

    @override
    async def close(self) -> None:
        try:
            for consumer in self._consumers.all():
                with contextlib.suppress(StorageError):  # entries without a stored acknowledgement are delivered again
                    await consumer.close()
        finally:
            await self._database.close()
            self._copies.close()


class LoginJournal:
    """
    The part of a journal that belongs to one saved login: the accounts that logged in under its name.

    Args:
        name: Name of the login.
        journal: The journal of the database; it stays open when this object is closed.
    """

    def __init__(self, name: str, journal: PostgresJournal) -> None:
        self._name = name
        self._journal = journal
        self._used: set[int] = set()
        """Accounts whose part was requested."""

    def __repr__(self) -> str:
        return f"LoginJournal({self._journal!r})"

    def account(self, uin: int) -> PostgresAccount:
        """Return an account's part; the account belongs to this login from its first use on."""
        self._used.add(uin)
        return self._journal.account(uin, login=self._name)

    def fingerprint(self, uin: int) -> object:
        """Return a value that differs after other processes have changed sends of an account; None in a worker."""
        return self._journal.fingerprint(uin)

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts that logged in under this name, the latest login first."""
        return await self._journal.accounts_of(self._name)

    async def close(self) -> None:
        """Close the consumers of these accounts."""
        await self._journal.close_consumers(self._used)


class PostgresAccount(AccountJournal):
    """One account's part of a journal."""

    def __init__(
        self, uin: int, database: PostgresDatabase, appender: Appender, sender: PostgresSender, copies: LocalCopies, *,
        login_name: str, announce: Callable[[int, int], object], note_send: Callable[[int], object],
        retention: PostgresRetention, consumers: OpenConsumers, rosters: OpenRosters, positions: GatheredReads,
    ) -> None:  # fmt: skip
        tables = PostgresTables(database, uin)
        super().__init__(
            AccountParts(
                tables,
                PostgresAttempts(uin, database, sender, note_send),
                PostgresMediaBytes(tables, copies),
                entries_of=lambda numbers: database.read(lambda db: read_numbers(db, uin, numbers)),
                stored_block="SELECT block FROM entry_blocks WHERE account = $0 ORDER BY block DESC LIMIT 1",
                on_revived=self._look_soon,
                sends=PostgresTables(database, uin, changed=note_send),
            )
        )
        self._uin = uin
        self._database = database
        self._appender = appender
        self._login_name = login_name
        self._announce = announce
        self._retention = retention
        self._consumers = consumers
        self._rosters = rosters
        self._positions = positions

    def __repr__(self) -> str:
        return "PostgresAccount(***)"

    # -- batches -----------------------------------------------------------------------------------------------------

    @override
    async def open_login(
        self, own_id: ContactId, position: bytes, time: float, contacts: Iterable[Contact], *, complete: bool = False
    ) -> OpenedLogin:
        listed = iter(contacts)
        few = await asyncio.to_thread(list, islice(listed, MATCHED_WITH_LOGIN + 1))
        is_matched = len(few) <= MATCHED_WITH_LOGIN

        async def store(db: Connection) -> tuple[int, bytes, list[Identified] | None]:
            before = await db.fetchrow(
                "SELECT own_id, opened_at, last_at FROM logins WHERE account = $1"
                " ORDER BY CASE WHEN last_at <= $2 THEN last_at ELSE opened_at END DESC, login DESC LIMIT 1",
                self._uin,
                time,
            )
            login, stored_position = await db.fetchrow(
                "INSERT INTO logins (account, own_id, position, opened_at, last_at) VALUES ($1, $2, $3, $4, $4)"
                " ON CONFLICT (account, own_id) DO UPDATE SET own_id = excluded.own_id RETURNING login, position",
                self._uin, own_id, position, time,
            )  # fmt: skip
            await db.execute("UPDATE accounts SET wanted = true WHERE account = $1 AND NOT wanted", self._uin)
            await self._name_login(db, time)
            await keep_contacts(db, login, chain(few, listed))
            if before is not None and before["own_id"] != clean_text(own_id):
                gap = gap_between(before["opened_at"], before["last_at"], time)
                arrival = Arrival(body=b"", items=(gap,), position=stored_position, time=time)
                await append_now(db, await self._database.fence_of(self._uin), login, own_id, arrival)
            if not is_matched:
                return login, stored_position, None
            statements = PostgresStatements(db, self._uin)
            return login, stored_position, await identify(statements, own_id, few, is_complete=complete, time=time)

        login, stored_position, identified = await self._database.write(self._uin, store)
        self._login = (login, own_id)
        return OpenedLogin(stored_position, await self.roster(own_id), identified)

    @override
    async def position(self, own_id: ContactId) -> bytes | None:
        rows = await self._positions.rows(self._uin, own_id, self._login_name)
        if not rows:
            return None
        [found] = rows
        if self._login_name and not found["is_named"]:  # it has logged in under another name
            await self._database.write(self._uin, lambda db: self._name_login(db, found["opened_at"]))
        self._login = (found["login"], own_id)
        position: bytes = found["position"]
        return position

    async def _name_login(self, db: Connection, time: float) -> None:
        """Store that the account has logged in under the name of this object's login."""
        if self._login_name:
            await db.execute(
                "INSERT INTO login_names VALUES ($1, $2, $3)"
                " ON CONFLICT (name, account) DO UPDATE SET opened_at = excluded.opened_at",
                self._login_name, self._uin, time,
            )  # fmt: skip

    async def ingest(self, arrival: Arrival) -> int:
        """
        Store a batch in one transaction, and return the number of new items.

        Raises:
            NotOwner: Another process owns the account.
            StorageError: The batch was not stored, or may not have been; or the journal does not know the login.
        """
        if self._login is None and not arrival.own_id:
            raise StorageError("There is no current login; call open_login or position first.")
        login = None if arrival.own_id else self._login

        def work() -> Awaitable[AppendedBatch]:
            fence = self._database.known_fence(self._uin)
            if fence is None or login is None or arrival.contacts or arrival.deleted or arrival.reads:
                return self._store(arrival, login)
            return self._appender.append(fence, *login, arrival)

        stored = await self._database.run(work)
        if stored.items:
            self._retention.note(arrival.time, sum(each.is_quarantined for each in arrival.items))
        return stored.items

    async def _store(self, arrival: Arrival, login: tuple[int, ContactId] | None) -> AppendedBatch:
        """Store a batch, with the contacts that have changed in it, and the chats that it marks as read."""
        fence = await self._database.fence_of(self._uin)
        row, own_id = login or (await self._row_of(arrival.own_id), arrival.own_id)
        if not arrival.contacts and not arrival.deleted and not arrival.reads:
            return await self._appender.append(fence, row, own_id, arrival)

        async def store(db: Connection) -> AppendedBatch:
            await keep_contacts(db, row, arrival.contacts, arrival.deleted)
            return await append_now(db, fence, row, own_id, arrival)

        stored = await self._database.writing(self._uin, store)
        self._rosters.change(own_id, arrival.contacts, arrival.deleted)
        return self._announced(stored)

    def _announced(self, stored: AppendedBatch) -> AppendedBatch:
        """Announce the entries of a batch to the readers in other processes, and return the batch."""
        if stored.items:
            self._announce(self._uin, stored.last_number + stored.items)
        return stored

    async def _row_of(self, own_id: ContactId) -> int:
        row: int | None = await self._database.reading(
            lambda db: db.fetchval("SELECT login FROM logins WHERE account = $1 AND own_id = $2", self._uin, own_id)
        )
        if row is None:
            raise StorageError("The journal does not know this login.")
        return row

    # -- consumers ---------------------------------------------------------------------------------------------------

    async def consumer(
        self, name: str, *, since: Literal["beginning", "now"] = "now", on_revived: Callable[[], object] = lambda: None,
        stays: bool = False, shows: bool = False,
    ) -> PostgresConsumer:  # fmt: skip
        """
        Open a consumer; each name can be open only once at a time.

        Raises:
            AlreadyRunning: The consumer is open, in this process or another one.
        """
        del stays, shows  # `stays` cannot make commits faster here, and every taken entry counts as shown
        name = clean_text(name)
        self._require_closed(name)
        known = await self._database.run(
            lambda: open_cursor(self._database, self._uin, name, is_from_beginning=since == "beginning"),
            undo=lambda unused: unused.release(),
        )
        opened = PostgresConsumer(
            name, self._uin, known, self._database, on_revived=on_revived, on_close=self._consumers.remove
        )  # fmt: skip
        self._consumers.add(opened)
        return opened

    def _require_closed(self, name: str) -> None:
        if self._consumers.has(self._uin, name):
            raise AlreadyRunning(f"The consumer {name!r} is open already, in this process or another one.")

    async def forget_consumer(self, name: str) -> bool:
        """
        Delete a consumer with all that belongs to it, and return whether it existed.

        Raises:
            AlreadyRunning: The consumer is open, in this process or another one.
        """
        name = clean_text(name)
        self._require_closed(name)
        return await self._database.run(lambda: forget_consumer(self._database, self._uin, name))

    def _look_soon(self) -> None:
        for opened in self._consumers.of(self._uin):
            opened.look_soon()

    # -- queries -----------------------------------------------------------------------------------------------------

    @override
    async def find(self, query: EntryQuery) -> list[Entry]:
        return await self._database.read(lambda db: find_entries(db, self._uin, query))

    @override
    async def unread(self, chats: Collection[ContactId], after: int) -> UnreadEntries:
        return await self._database.read(lambda db: find_unread(db, self._uin, chats, after))

    async def _measure(self) -> JournalMeasures:
        """Return what only a database can count; its entries are indexed as they are stored."""
        row = await self._database.read(
            lambda db: db.fetchrow(
                f"""
                SELECT (SELECT count(*) FROM entries WHERE account = $1 AND (flags & 14 <> 0 OR batch = 0)
                        AND flags & {QUARANTINED} <> 0),
                    coalesce((SELECT last_number FROM accounts WHERE account = $1), 0),
                    pg_database_size(current_database())
                """,  # noqa: S608 - a constant
                self._uin,
            )
        )
        return JournalMeasures(*row)

    # -- contacts ----------------------------------------------------------------------------------------------------

    async def roster(self, own_id: ContactId) -> PostgresRoster:
        """Return the contacts of a login that are not deleted; they are held in memory, compressed."""

        async def read(db: Connection) -> PostgresRoster:
            roster = await read_roster(db, self._uin, own_id)
            self._rosters.add(own_id, roster)
            return roster

        return await self._database.read(read)

    @override
    async def people(self, ids: Collection[ContactId]) -> list[Contact]:
        wanted = {ContactId(clean_text(each)) for each in ids}
        rows = await self._database.read(
            lambda db: db.fetch(
                "SELECT c.contact FROM logins l JOIN contacts c USING (login)"
                " WHERE l.account = $1 AND c.id = ANY ($2::varchar[]) ORDER BY login",
                self._uin, list(wanted),
            )
        )  # fmt: skip
        found = decoded(row["contact"] for row in rows)
        unknown = wanted - {each.id for each in found}
        return [*await self.identities.contacts(unknown), *found] if unknown else found

    @override
    async def save_contacts(
        self, own_id: ContactId, contacts: Collection[Contact], deleted: Collection[ContactId] = ()
    ) -> None:
        async def work() -> None:
            login = await self._row_of(own_id)
            await self._database.writing(self._uin, lambda db: keep_contacts(db, login, contacts, deleted))
            self._rosters.change(own_id, contacts, deleted)

        await self._database.run(work)

    # -- deletion ----------------------------------------------------------------------------------------------------

    @override
    async def purge(self, *, before: float = 0, chats: Collection[ContactId] = ()) -> int:
        if not before and not chats:
            return 0
        ids = [clean_text(each) for each in chats]
        return await self._database.run(
            lambda: purge(self._database, self._retention, self._uin, before=before, chats=ids)
        )


def _do_not_announce(account: int, number: int) -> None:
    """Announce nothing: only workers announce their entries."""
