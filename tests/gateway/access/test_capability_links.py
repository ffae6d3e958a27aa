"""Links without a key: one thing of one account, for a time, as long as their key exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from webwx.gateway.access.auth import CONSOLE, Caller
from webwx.gateway.access.capability_links import LINK_SECONDS, CapabilityLinks
from webwx.gateway.access.keys import KeyRing
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from webwx.storage.tables.records import RecordStore

NOW = [1_000.0]


@pytest.fixture
def records() -> RecordStore:
    NOW[0] = 1_000.0
    return open_records("memory:")


@pytest.fixture
def keys(records: RecordStore) -> KeyRing:
    return KeyRing(records, lambda: NOW[0])


@pytest.fixture
def links(records: RecordStore, keys: KeyRing) -> CapabilityLinks:
    return CapabilityLinks(records, keys, lambda: NOW[0])


def caller(key_id: str) -> Caller:
    return Caller(id=key_id, scopes=("read:media",), accounts=None, address="127.0.0.1")


async def test_a_link_opens_one_thing_until_it_expires(links: CapabilityLinks, records: RecordStore) -> None:
    for opens in ("media", "login_code"):
        made = await links.create(opens, caller(CONSOLE), 3, 7)
        assert await links.find(opens, made.token) == made.link
        assert (made.link.account, made.link.event) == (3, 7)
        assert await links.find("login_code" if opens == "media" else "media", made.token) is None
        assert await links.find(opens, made.token[:-1]) is None
        NOW[0] += LINK_SECONDS[opens] - 1
        assert await links.find(opens, made.token)
        NOW[0] += 1
        assert await links.find(opens, made.token) is None
    await links.create("media", caller(CONSOLE), 3, 8)
    assert len(await records.find("link")) == 1


async def test_a_token_is_not_stored(links: CapabilityLinks, records: RecordStore) -> None:
    made = await links.create("media", caller(CONSOLE), 1, 1)
    [record] = await records.find("link")
    assert made.token not in record.id + record.body.decode() + repr(made) + repr(links)
    assert len(made.token) >= 22


async def test_a_link_ends_with_its_key(links: CapabilityLinks, keys: KeyRing) -> None:
    deleted = (await keys.create("a", ["read:media"])).key
    expiring = (await keys.create("b", ["read:media"], expires_at=NOW[0] + 60)).key
    bound = (await keys.create("c", ["read:media"], accounts=(1,))).key
    made = [await links.create("media", caller(key.id), 1, 1) for key in (deleted, expiring, bound)]
    assert all([await links.find("media", each.token) for each in made])
    await keys.delete(deleted.id)
    await keys.change(bound.id, lambda key: msgspec.structs.replace(key, accounts=(2,)))
    NOW[0] += 60
    assert [await links.find("media", each.token) for each in made] == [None, None, None]


async def test_a_request_is_for_the_account_of_the_link_that_it_opens(links: CapabilityLinks) -> None:
    media = await links.create("media", caller(CONSOLE), 3, 7)
    code = await links.create("login_code", caller(CONSOLE), 4)
    paths = {
        f"/m/{media.token}/a.png": 3, f"/q/{code.token}": 4, f"/q/{media.token}": None, f"/m/{code.token}/a.png": None,
        f"/m/{media.token}": None, "/api/v1/accounts": None,
    }  # fmt: skip
    assert {path: await links.account_of(cast("Any", {"path": path})) for path in paths} == paths
