"""Identities in the file: a number stays with its person or chatroom, whatever name a login shows."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING

from tests.storage.phone import NOW, Phone

from webwx.storage.lookup import find_identity_of
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import connect
from webwx.storage.sqlite.tables import SqliteTables
from webwx.storage.sqlite.threads import Reader, Writer
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.identities.store import StoredIdentities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class NoJobs:
    """Background jobs of a writer that has none."""

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        return None

    def forget(self) -> None:
        """Do nothing, because no state is cached."""


class CountedFile:
    """A journal's file, with the steps that SQLite takes for identities."""

    def __init__(self, path: Path) -> None:
        self.steps = 0
        """Tens of instructions of SQLite's virtual machine."""
        self._path = path

    @contextlib.asynccontextmanager
    async def identities(self, account: int, login: int) -> AsyncIterator[StoredIdentities]:
        """Open the identities of an account in threads of their own."""
        writer, reader = Writer(self._connect, "counted writer", NoJobs()), Reader(self._connect, "counted reader")
        for thread in (writer, reader):
            await thread.do(lambda _: None)  # This opens the file.
        self.steps = 0

        async def row() -> int:
            return account

        yield StoredIdentities(SqliteTables(writer, reader, row), partial(int, login))
        await reader.close()
        await writer.close()

    def _connect(self) -> sqlite3.Connection:
        db = connect(self._path, is_shared=True)
        db.set_progress_handler(self._step, 10)
        return db

    def _step(self) -> None:
        self.steps += 1


async def test_the_cost_of_a_lookup_does_not_grow_with_the_number_of_identities(tmp_path: Path) -> None:
    costs = []
    for people in (20, 2_000):
        path = tmp_path / f"{people}.journal"
        journal = SqliteJournal(path)
        phone = Phone(journal.account(1))
        for _ in range(2):
            await phone.log_in()
            await phone.identify(*(phone.shown(f"person {number}") for number in range(people)))
        await journal.close()
        file = CountedFile(path)
        async with file.identities(1, 2) as identities:
            assert await find_identity_of(identities, phone.id("person 7", 1)) is not None
            real_ids = {phone.id("person 7"): "wxid_seven"}
            for _ in range(2):
                assert await identities.identify(phone.own_id, (), complete=False, time=NOW, real_ids=real_ids) == []
        costs.append(file.steps)
    few, many = costs
    assert many < 2 * few


async def test_the_cost_of_a_login_does_not_grow_with_earlier_logins(phone: Phone, path: Path) -> None:
    file, costs = CountedFile(path), []
    for login in range(1, 25):
        await phone.log_in(NOW + login)
        people = [phone.shown(f"person {number}") for number in range(50)]
        everybody = [*people, phone.room("room", *(each.nickname for each in people))]
        async with file.identities(1, login) as identities:
            await identities.identify(phone.own_id, everybody, complete=True, time=NOW + login)
            await identities.find(IdentityQuery())
        costs.append(file.steps)
    assert costs[-1] < 1.2 * costs[2]


async def test_a_login_costs_the_same_beside_other_accounts_with_the_same_friends(path: Path) -> None:
    file, journal, costs = CountedFile(path), SqliteJournal(path), []
    for account in range(1, 25):
        phone = Phone(journal.account(account))
        await phone.log_in(NOW + account)
        people = [phone.shown(f"person {number}") for number in range(50)]
        async with file.identities(account, account) as identities:
            await identities.identify(phone.own_id, people, complete=True, time=NOW + account)
        costs.append(file.steps)
    await journal.close()
    assert costs[-1] < 1.2 * costs[2]
