"""Links in the file: equal evidence is stored once, and none is kept of a login that was purged."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from tests.storage.phone import DAY, FILEHELPER, NOW, Phone

from webwx.storage.lookup import contact_ids_of, find_identity
from webwx.storage.tables.identities.query import IdentityQuery

if TYPE_CHECKING:
    from pathlib import Path


class TestEvidence:
    """Evidence that does not change is stored once for several logins."""

    async def rows(self, path: Path, table: str) -> int:
        with contextlib.closing(sqlite3.connect(path)) as db:
            (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)

    async def test_unchanged_evidence_is_not_stored_again(self, relogin: Phone, path: Path) -> None:
        before = await self.rows(path, "evidence")
        for _ in range(3):
            await relogin.log_in()
            await relogin.identify(*map(relogin.shown, ("ann", "cid")), FILEHELPER)

        assert (await self.rows(path, "evidence"), await self.rows(path, "origins")) == (before, 3)
        assert len(await contact_ids_of(relogin.account.identities, await relogin.number("ann"))) == 5

    async def test_a_change_does_not_affect_earlier_logins(self, relogin: Phone, path: Path) -> None:
        ann, before = await relogin.number("ann"), await self.rows(path, "evidence")
        for nickname in ("Queen", "Queen of Hearts"):
            await relogin.identify(relogin.shown("ann", nickname=nickname), complete=False)
        assert await self.rows(path, "evidence") == before + 1, "evidence of this login alone is replaced"
        assert [link.name for link in await relogin.account.identities.links(ann)] == ["Queen of Hearts", "ann"]
        first = await relogin.account.identities.split(ann, relogin.id("ann", 1))
        await relogin.log_in()
        found = await relogin.identify(
            relogin.shown("ann"), relogin.shown("ann2", nickname="Queen of Hearts", avatar=7)
        )
        assert found[relogin.id("ann")].candidates[0] == first.number or (
            found[relogin.id("ann")].number == first.number
        )

    async def test_a_permanent_id_is_not_added_to_earlier_logins(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.note_real_id("ann", "wxid_ann")
        first = await relogin.account.identities.split(ann, relogin.id("ann", 1))
        await relogin.log_in()
        await relogin.note_real_id("ann", "wxid_ann")
        found = (await relogin.identify(relogin.shown("ann")))[relogin.id("ann")]
        assert (found.by, found.number) == ("certain", ann)
        assert found.number != first.number

    async def test_a_permanent_id_of_an_earlier_login_is_known_in_all_later_ones(
        self, relogin: Phone, path: Path
    ) -> None:
        await relogin.note_real_id("ann", "wxid_ann", login=1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            evidence = db.execute(
                "SELECT count(DISTINCT evidence), count(*), min(json_extract(content, '$.wxid')) FROM links"
                " JOIN evidence USING (account, evidence) WHERE links.number = ?",
                (await relogin.number("ann"),),
            ).fetchone()
        assert evidence == (1, 2, "wxid_ann")

    async def test_an_identity_that_was_split_off_has_its_own_evidence(self, relogin: Phone, path: Path) -> None:
        ann = await relogin.number("ann")
        other = await relogin.account.identities.split(ann, relogin.id("ann"))
        await relogin.identify(relogin.shown("ann", nickname="Queen"), complete=False)
        assert (await relogin.identity(other.number)).name == "Queen"
        (link,) = await relogin.account.identities.links(ann)
        assert link.name == "ann"
        assert [each.number for each in await relogin.account.identities.find(IdentityQuery(name="ann"))] == [ann]

    async def test_evidence_of_purged_logins_is_deleted(self, relogin: Phone, path: Path) -> None:
        await relogin.identify(relogin.shown("ann", nickname="Queen"), complete=False)
        await relogin.account.purge(before=NOW - DAY / 2)
        with contextlib.closing(sqlite3.connect(path)) as db:
            names = {name for (name,) in db.execute("SELECT json_extract(content, '$.nickname') FROM evidence")}
        assert names == {"Queen", "cid", FILEHELPER.nickname}


async def test_a_purge_deletes_identities_that_were_in_purged_logins_only(relogin: Phone, path: Path) -> None:
    ann, bob = await relogin.number("ann"), await relogin.number("bob", login=1)
    await relogin.note_real_id("bob", "wxid_bob", login=1)
    await relogin.account.purge(before=NOW - DAY / 2)
    assert await find_identity(relogin.account.identities, bob) is None
    assert await contact_ids_of(relogin.account.identities, ann) == [relogin.id("ann")]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM real_ids").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM identities WHERE number = ?", (bob,)).fetchone() == (0,)
    await relogin.log_in()
    (new,) = (await relogin.identify(relogin.shown("bob"))).values()
    assert new.number > bob
