"""Identities in the file: a number stays with its person or chatroom, whatever name a login shows."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING

from tests.storage.phone import NOW, Phone

from webwx.storage.base import IdentityQuery
from webwx.storage.lookup import find_identity, find_identity_of
from webwx.storage.sqlite.identities import SqliteIdentityStore
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import APPLICATION, MIGRATIONS, connect
from webwx.storage.sqlite.threads import Reader, Writer

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
    async def identities(self, account: int, login: int) -> AsyncIterator[SqliteIdentityStore]:
        """Open the identities of an account in threads of their own."""
        writer, reader = Writer(self._connect, "counted writer", NoJobs()), Reader(self._connect, "counted reader")
        for thread in (writer, reader):
            await thread.do(lambda _: None)  # This opens the file.
        self.steps = 0

        async def row() -> int:
            return account

        yield SqliteIdentityStore(row, partial(int, login), writer, reader)
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


def version_2(path: Path) -> None:
    """
    Make a file of version 2: Ann in three logins, renamed in the last; Bob, who was split off from Ann; filehelper.
    """
    connect(path).close()
    path.unlink()
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path)) as db:
        for step in MIGRATIONS[:2]:
            assert isinstance(step, str)
            db.executescript(step)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute("PRAGMA user_version = 2")
        db.execute("INSERT INTO accounts (account, uin) VALUES (1, '1')")
        for login in (1, 2, 3):
            row = (login, 1, f"@me-{login}", b"", NOW + login, NOW + login, b"listed")
            db.execute(
                "INSERT INTO logins (login, account, own_id, position, opened_at, last_at, listed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        db.executemany(
            "INSERT INTO identities VALUES (?, 1, ?, ?, ?)",
            [(1, "person", NOW, 0), (2, "person", NOW, 0), (3, "person", NOW, 0), (4, "person", NOW, 1)],
        )
        ann = '{"kind":"person","nickname":"ann","avatar":7,"wxid":"wxid_ann"}'
        bob = '{"kind":"person","nickname":"ann","avatar":7}'
        queen = '{"kind":"person","nickname":"queen","avatar":7,"wxid":"wxid_ann"}'
        same = '{"by":"matched","confidence":0.99,"reasons":[{"what":"avatar","weight":22.0,"agrees":true}]}'
        links = [
            (1, 1, "@ann-1", 1, "ann", 11, ann, '{"by":"seen"}', NOW + 1),
            (1, 1, "@bob-1", 2, "ann", 12, bob, '{"by":"hand","candidates":[1]}', NOW + 1),
            (1, 2, "@ann-2", 1, "ann", 11, ann, same, NOW + 2),
            (1, 3, "@ann-3", 1, "queen", 13, queen, same, NOW + 3),
            (1, 0, "filehelper", 3, "File Transfer", 14, '{"kind":"person"}', '{"by":"certain"}', NOW + 1),
        ]
        db.executemany("INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", links)
        db.executemany("INSERT INTO apart VALUES (?, ?)", [(1, 2), (2, 1)])
        db.executemany("INSERT INTO real_ids VALUES (1, ?, ?)", [("@ann-1", "wxid_ann"), ("@new-3", "wxid_new")])
        db.commit()


async def test_identities_of_version_2_are_preserved(journal: SqliteJournal, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    version_2(path)
    identities = journal.account(1).identities

    found = {each.number: each for each in await identities.find(IdentityQuery())}
    assert {number: (each.name, each.contact_id) for number, each in found.items()} == {
        1: ("queen", "@ann-3"), 2: ("ann", ""), 3: ("File Transfer", "filehelper")
    }  # fmt: skip
    assert [each.last_seen for each in found.values()] == [NOW + 3, NOW + 1, NOW + 3]
    assert [(link.contact_id, link.own_id, link.name, link.by) for link in await identities.links(1)] == [
        ("@ann-3", "@me-3", "queen", "matched"),
        ("@ann-2", "@me-2", "ann", "matched"),
        ("@ann-1", "@me-1", "ann", "seen"),
    ]
    (newest, *_) = await identities.links(1)
    assert (newest.confidence, [reason.what for reason in newest.reasons]) == (0.99, ["avatar"])
    merged = await find_identity(identities, 4)
    assert merged is not None
    assert merged.number == 1
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM faces").fetchone() == (4,), "Ann's, Bob's own, and filehelper's"
        assert db.execute("SELECT login, id FROM real_ids ORDER BY id").fetchall() == [(1, "@ann-1"), (3, "@new-3")]
    phone = Phone(journal.account(1))
    phone.login = 3
    await phone.log_in()
    await phone.note_real_id("ann", "wxid_ann")
    renewed = (await phone.identify(phone.shown("ann", avatar=9)))[phone.id("ann")]
    assert (renewed.by, renewed.number) == ("certain", 1)


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
