"""The ledger in the file: a number stays with who it was given to, whatever a login calls them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.store.phone import NOW, Phone

from webwx.errors import RefusedLocally, UnknownContact
from webwx.model.ledger import Identified
from webwx.store.identity import SqliteLedger
from webwx.store.schema import APPLICATION, MIGRATIONS, connect
from webwx.store.sqlite import SqliteJournal
from webwx.store.writer import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_identities_are_found_by_any_of_their_names(relogin: Phone) -> None:
    await relogin.tell(relogin.shown("ann", remark="Annie"), complete=False)
    await relogin.tell(relogin.room("room", "ann", "cid", nickname=""), complete=False)
    assert [each.kind for each in await relogin.account.ledger.identities("ann, cid")] == ["chatroom"]
    for name in ("ann", "Annie"):
        assert [await relogin.number("ann")] == [each.number for each in await relogin.account.ledger.identities(name)]
    assert await relogin.account.ledger.identities("nobody") == []
    assert len(await relogin.account.ledger.identities()) == 5


class TestRealIds:
    async def test_somebody_is_known_by_it_in_the_next_login(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        assert await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann") is None
        await relogin.log_in()
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        found = await relogin.tell(relogin.shown("ann", nickname="Queen", avatar=5))
        assert ("certain", number) == (found[relogin.id("ann")].by, found[relogin.id("ann")].number)

    async def test_who_waits_is_known_by_it_at_the_next_look_at_the_same_list(self, relogin: Phone) -> None:
        await relogin.tell(relogin.room("room", "ann", "cid"), complete=False)
        await relogin.account.ledger.note_real_id(relogin.id("room"), "1@chatroom")
        await relogin.log_in()
        everybody = [*map(relogin.shown, ("ann", "cid")), relogin.room("room")]
        assert (await relogin.tell(*everybody))[relogin.id("room")].by == "waiting"
        await relogin.account.ledger.note_real_id(relogin.id("room"), "1@chatroom")
        assert (await relogin.tell(*everybody))[relogin.id("room")].number == await relogin.number("room", login=2)

    async def test_c15_who_was_thought_new_becomes_who_they_are(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        await relogin.account.ledger.note_real_id(relogin.id("bob", 1), "wxid_bob")
        new = (await relogin.tell(relogin.shown("bob", avatar=0), complete=False))[relogin.id("bob")].number
        found = await relogin.account.ledger.note_real_id(relogin.id("bob"), "wxid_bob")
        assert found == Identified(contact_id=relogin.id("bob"), number=bob, by="certain", candidates=(new,))
        assert (await relogin.identity(new)).number == bob

    async def test_c15_who_was_taken_for_another_is_somebody_new(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.account.ledger.note_real_id(relogin.id("ann", 1), "wxid_ann")
        await relogin.log_in()
        await relogin.tell(relogin.shown("ann"))
        found = await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_other")
        assert found is not None
        assert found.number not in {0, ann}
        assert await relogin.number("ann") == found.number
        assert (await relogin.identity(ann)).contact_id == ""

    async def test_who_already_has_somebody_in_this_login_is_not_given_a_second_one(self, relogin: Phone) -> None:
        ann, cid = await relogin.number("ann"), await relogin.number("cid")
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        found = await relogin.account.ledger.note_real_id(relogin.id("cid"), "wxid_ann")
        assert found == Identified(contact_id=relogin.id("cid"), number=cid, by="ambiguous", candidates=(ann,))
        assert await relogin.number("cid") == cid


class TestByHand:
    async def ambiguous(self, phone: Phone) -> tuple[int, int]:
        """Give the number of Bob, and that of somebody who may be him."""
        found = await phone.tell(phone.shown("bob", avatar=0), complete=False)
        return await phone.number("bob", login=1), found[phone.id("bob")].number

    async def test_c15_merged_are_one_for_ever(self, relogin: Phone, path: Path) -> None:
        bob, new = await self.ambiguous(relogin)
        merged = await relogin.account.ledger.merge(bob, new)
        assert (merged.number, merged.contact_id, merged.confidence) == (bob, relogin.id("bob"), 1.0)
        opened_by_another = SqliteJournal(path)
        ledger = opened_by_another.account(1).ledger
        for number in (bob, new):
            found = await ledger.identity(number)
            assert found is not None
            assert found.number == bob
            assert await ledger.contact_ids(number) == [relogin.id("bob", 2), relogin.id("bob", 1)]
        await opened_by_another.close()

    async def test_c15_merged_are_one_against_any_evidence(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.account.ledger.merge(bob, new)
        for login, wxid in ((1, "wxid_bob"), (2, "wxid_other")):
            assert await relogin.account.ledger.note_real_id(relogin.id("bob", login), wxid) is None
        assert await relogin.number("bob") == bob

    async def test_numbers_that_were_merged_one_into_the_other_all_lead_to_the_last(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.log_in()
        await relogin.tell(relogin.shown("zoe"))
        zoe = await relogin.number("zoe")
        await relogin.account.ledger.merge(bob, new)
        await relogin.account.ledger.merge(zoe, bob)
        assert {zoe} == {(await relogin.identity(number)).number for number in (bob, new, zoe)}

    async def test_two_of_one_login_are_two(self, relogin: Phone) -> None:
        with pytest.raises(RefusedLocally):
            await relogin.account.ledger.merge(await relogin.number("ann"), await relogin.number("cid"))

    async def test_what_is_one_already_is_not_merged(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.account.ledger.merge(bob, new)
        for one, other in ((bob, bob), (bob, new), (new, bob)):
            with pytest.raises(RefusedLocally, match=f"Both are number {bob} already"):
                await relogin.account.ledger.merge(one, other)

    async def test_a_person_and_a_chatroom_are_two(self, relogin: Phone) -> None:
        await relogin.tell(relogin.room("room", "ann", "cid"), complete=False)
        with pytest.raises(RefusedLocally):
            await relogin.account.ledger.merge(await relogin.number("bob", login=1), await relogin.number("room"))

    async def test_a_number_that_nobody_has_is_an_error(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        for one, other in ((ann, 99), (99, ann)):
            with pytest.raises(UnknownContact):
                await relogin.account.ledger.merge(one, other)
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(99, relogin.id("ann"))

    async def test_c15_split_are_two_for_ever(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.account.ledger.note_real_id(relogin.id("ann", 1), "wxid_ann")
        other = await relogin.account.ledger.split(ann, relogin.id("ann"))
        assert (other.contact_id, (await relogin.identity(ann)).contact_id) == (relogin.id("ann"), "")
        assert other.number not in {0, ann}
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        assert await relogin.tell(relogin.shown("ann"), complete=False) == {}
        assert await relogin.number("ann") == other.number
        (link,) = await relogin.account.ledger.why(other.number)
        assert (link.by, link.candidates) == ("hand", (ann,))

    async def test_what_was_split_can_be_merged_again(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        other = await relogin.account.ledger.split(ann, relogin.id("ann"))
        assert (await relogin.account.ledger.merge(ann, other.number)).contact_id == relogin.id("ann")

    async def test_an_id_that_was_never_theirs_or_is_their_only_one_is_not_split(self, relogin: Phone) -> None:
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(await relogin.number("ann"), relogin.id("cid"))
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(await relogin.number("bob", login=1), relogin.id("bob", 1))


async def test_c15_what_is_asked_for_one_id_costs_the_same_among_however_many(tmp_path: Path) -> None:
    costs = []
    for people in (20, 2_000):
        path = tmp_path / f"{people}.journal"
        journal = SqliteJournal(path)
        phone = Phone(journal.account(1))
        for _ in range(2):
            await phone.log_in()
            await phone.tell(*(phone.shown(f"person {number}") for number in range(people)))
        await journal.close()
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        def counted(path: Path = path, step: Callable[[], None] = step) -> sqlite3.Connection:
            db = connect(path)
            db.set_progress_handler(step, 10)
            return db

        thread = Reader(counted, "counted")
        ledger = SqliteLedger(partial(asyncio.sleep, 0, 1), lambda: 2, thread, thread)
        assert await ledger.identity_of(phone.id("person 7", 1)) is not None  # opens the file as well
        steps = 0
        assert await ledger.identity_of(phone.id("person 7", 1)) is not None
        assert await ledger.note_real_id(phone.id("person 7"), "wxid_seven") is None
        assert await ledger.note_real_id(phone.id("person 7"), "wxid_seven") is None
        costs.append(steps)
        await thread.close()
    few, many = costs
    assert many < 2 * few


def version_2(path: Path) -> None:
    """Make a file of version 2: Ann in three logins, renamed in the last; Bob, who was split off her; filehelper."""
    connect(path).close()
    path.unlink()
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("".join(MIGRATIONS[:2]))
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute("PRAGMA user_version = 2")
        db.execute("INSERT INTO accounts (account, uin) VALUES (1, '1')")
        for login in (1, 2, 3):
            row = (login, 1, f"@me-{login}", b"", NOW + login, NOW + login, b"told")
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


async def test_g_r16_the_ledger_of_version_2_knows_the_same(journal: SqliteJournal, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    version_2(path)
    ledger = journal.account(1).ledger

    told = {each.number: each for each in await ledger.identities()}
    assert {number: (each.name, each.contact_id) for number, each in told.items()} == {
        1: ("queen", "@ann-3"), 2: ("ann", ""), 3: ("File Transfer", "filehelper")
    }  # fmt: skip
    assert [each.last_seen for each in told.values()] == [NOW + 3, NOW + 1, NOW + 3]
    assert [(link.contact_id, link.own_id, link.name, link.by) for link in await ledger.why(1)] == [
        ("@ann-3", "@me-3", "queen", "matched"),
        ("@ann-2", "@me-2", "ann", "matched"),
        ("@ann-1", "@me-1", "ann", "seen"),
    ]
    (newest, *_) = await ledger.why(1)
    assert (newest.confidence, [reason.what for reason in newest.reasons]) == (0.99, ["avatar"])
    merged = await ledger.identity(4)
    assert merged is not None
    assert merged.number == 1
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM faces").fetchone() == (4,), "Ann's, Bob's own, and filehelper's"
        assert db.execute("SELECT login, id FROM real_ids ORDER BY id").fetchall() == [(1, "@ann-1"), (3, "@new-3")]
    phone = Phone(journal.account(1))
    phone.login = 3
    await phone.log_in()
    await ledger.note_real_id(phone.id("ann"), "wxid_ann")
    found = (await phone.tell(phone.shown("ann", avatar=9)))[phone.id("ann")]
    assert (found.by, found.number) == ("certain", 1)


async def test_c15_a_login_costs_the_same_after_however_many(phone: Phone, path: Path) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def counted() -> sqlite3.Connection:
        db = connect(path)
        db.set_progress_handler(step, 10)
        return db

    costs = []
    for login in range(1, 25):
        await phone.log_in(NOW + login)
        people = [phone.shown(f"person {number}") for number in range(50)]
        everybody = [*people, phone.room("room", *(each.nickname for each in people))]
        thread = Reader(counted, "counted")  # which takes back what it was told
        ledger = SqliteLedger(partial(asyncio.sleep, 0, 1), partial(int, login), thread, thread)
        steps = 0
        await ledger.identify(phone.own_id, everybody, complete=True, time=NOW + login)
        await ledger.identities()
        costs.append(steps)
        await thread.close()
        await phone.tell(*everybody, at=NOW + login)
    assert costs[-1] < 1.2 * costs[2]


async def test_a_doubt_about_a_real_id_is_told_once(relogin: Phone) -> None:
    ledger = relogin.account.ledger
    await ledger.note_real_id(relogin.id("ann"), "wxid_a")
    doubt = await ledger.note_real_id(relogin.id("cid"), "wxid_a")
    assert doubt is not None
    assert doubt.by == "ambiguous"
    assert await ledger.note_real_id(relogin.id("cid"), "wxid_a") is None
