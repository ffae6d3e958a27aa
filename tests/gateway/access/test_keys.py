"""Keys: shown once, stored as a hash, bound to scopes, accounts, networks and times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.access.keys import IMPLIED, SCOPES, KeyRing, is_in
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore

HERE = "127.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> RecordStore:
    return open_records("memory:")


@pytest.fixture
def ring(records: RecordStore, clock: Clock) -> KeyRing:
    return KeyRing(records, clock)


def is_in_a_file(text: str, folder: Path) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.iterdir())


async def test_a_key_is_verified_by_its_text(ring: KeyRing) -> None:
    made = await ring.create("grafana", ["send"])

    assert made.text.startswith(f"wxk_{made.key.id}_")
    assert await ring.verify(made.text, HERE) == made.key
    wrong = made.text[:-1] + ("a" if made.text[-1] != "a" else "b")
    for text in (wrong, made.text + "a", made.text[4:], "", "wxk_", "wxk_abcdefgh_" + "a" * 43):
        assert await ring.verify(text, HERE) is None


async def test_only_the_hash_of_a_secret_is_stored(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    made = await KeyRing(records, Clock()).create("grafana", ["send"])
    await records.close()

    secret = made.text.rpartition("_")[2]
    assert not is_in_a_file(secret, tmp_path)
    assert secret not in repr(made)
    assert made.key.digest not in repr(made.key)


async def test_an_expired_key_is_refused(ring: KeyRing, clock: Clock) -> None:
    made = await ring.create("today", ["read"], expires_at=clock.now + 60)
    assert await ring.verify(made.text, HERE) is not None
    clock.now += 60
    assert await ring.verify(made.text, HERE) is None


async def test_after_a_rotation_both_secrets_work_for_a_while(ring: KeyRing, clock: Clock) -> None:
    old = await ring.create("ci", ["read"])
    new = await ring.rotate(old.key.id, overlap=3600)
    assert new is not None
    assert (await ring.verify(old.text, HERE), await ring.verify(new.text, HERE)) == (new.key, new.key)

    clock.now += 3600
    assert await ring.verify(old.text, HERE) is None
    assert await ring.verify(new.text, HERE) == new.key
    assert await ring.rotate("absent", overlap=0) is None


async def test_a_key_that_another_process_deletes_is_refused_within_a_second(
    ring: KeyRing, records: RecordStore, clock: Clock
) -> None:
    made = await ring.create("ci", ["read"])
    assert await ring.verify(made.text, HERE) is not None
    await KeyRing(records, clock).delete(made.key.id)

    clock.now += 1
    assert await ring.verify(made.text, HERE) is None
    assert not await ring.delete(made.key.id)


async def test_a_key_for_a_network_is_refused_elsewhere(ring: KeyRing) -> None:
    made = await ring.create("lan", ["read"], networks=("192.168.1.0/24", "fd00::/8"))
    addresses = ("192.168.1.7", "fd00::7", "192.168.2.7", "")
    assert [await ring.verify(made.text, address) is not None for address in addresses] == [True, True, False, False]
    assert is_in("anything", ())


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "root"]])
async def test_unknown_scopes_are_refused(ring: KeyRing, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="scope"):
        await ring.create("x", scopes)


async def test_an_invalid_network_is_refused(ring: KeyRing) -> None:
    with pytest.raises(InvalidRequest, match="network"):
        await ring.create("x", ["read"], networks=("192.168.1.7/24",))


async def test_a_key_for_no_account_is_refused(ring: KeyRing) -> None:
    with pytest.raises(InvalidRequest, match="all accounts, or at least one"):
        await ring.create("x", ["read"], accounts=())


async def test_a_changed_key_has_its_new_scopes_at_once(ring: KeyRing) -> None:
    made = await ring.create("ci", ["read"], accounts=(1,))
    await ring.verify(made.text, HERE)
    changed = await ring.change(made.key.id, lambda key: msgspec.structs.replace(key, scopes=("send",), accounts=(2,)))

    assert changed is not None
    assert await ring.verify(made.text, HERE) == changed
    assert await ring.get(made.key.id) == changed
    assert (changed.allows("send"), changed.allows("read")) == (True, False)
    assert (changed.reaches(2), changed.reaches(1)) == (True, False)
    assert await ring.change("absent", lambda key: key) is None
    assert await ring.get("absent") is None


async def test_keys_are_listed_by_age(ring: KeyRing, clock: Clock) -> None:
    for name in ("b", "a"):
        await ring.create(name, ["read"])
        clock.now += 1
    assert [key.name for key in await ring.find()] == ["b", "a"]


async def test_a_scope_includes_the_narrower_ones(ring: KeyRing) -> None:
    key = (await ring.create("x", ["read", "send"])).key
    assert {scope for scope in SCOPES if key.allows(scope)} == {
        "read", "read:media", "events", "send", "send:filehelper",
    }  # fmt: skip
    assert set(IMPLIED["admin"]) == set(SCOPES)
