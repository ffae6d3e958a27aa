"""Saved logins in PostgreSQL: encrypted, and a damaged one is kept under another name."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.saved import LOGIN

from webwx.errors import AlreadyRunning, InvalidLogin
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.storage.leases import ClusterMember
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.logins import PostgresLogins
from webwx.storage.refusals import Fence, NotOwner
from webwx.storage.saved_login import SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

SAVED = SavedLogin(login=LOGIN)


@pytest.fixture
async def logins(schema: TemporarySchema) -> AsyncIterator[PostgresLogins]:
    logins = PostgresLogins(PostgresDatabase(schema.url))
    yield logins
    await logins.close()


async def test_an_encrypted_login_is_unreadable_without_its_passphrase(
    schema: TemporarySchema, logins: PostgresLogins
) -> None:
    store = logins.login("me", passphrase="right")
    await store.save(SAVED)
    await store.save_contacts(Contacts([Contact(id=ContactId("@ann"), nickname="Ann")]))

    stored = bytes.fromhex(schema.execute("SELECT encode(login || contacts, 'hex') FROM saved_logins"))
    assert LOGIN.credentials.skey.encode() not in stored
    assert b"Ann" not in stored
    for passphrase, reason in ((None, "is encrypted; give its passphrase"), ("wrong", "the passphrase is wrong")):
        other = logins.login("me", passphrase=passphrase)
        with pytest.raises(InvalidLogin, match=reason):
            await other.load()
        assert len(await other.load_contacts()) == len(Contacts())
    assert await logins.login("me", passphrase="right").load() == SAVED


async def test_a_login_that_is_not_encrypted_is_refused_with_a_passphrase(logins: PostgresLogins) -> None:
    await logins.login("me").save(SAVED)
    with pytest.raises(InvalidLogin, match="not encrypted, though a passphrase was given"):
        await logins.login("me", passphrase="right").load()


async def test_one_key_opens_all_logins_of_a_database(
    schema: TemporarySchema, logins: PostgresLogins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deriving a key takes a tenth of a second, and a worker may take over hundreds of accounts at once."""
    for number in range(3):
        login = PostgresLogins(PostgresDatabase(schema.url))  # as `webwx login`, a process of its own
        await login.login(f"account{number}", passphrase="right").save(SAVED)
        await login.close()
    derived = []
    derive = hashlib.scrypt

    def count(*args: Any, **options: Any) -> bytes:
        derived.append(1)
        return derive(*args, **options)

    monkeypatch.setattr("hashlib.scrypt", count)
    stores = [logins.login(f"account{number}", passphrase="right") for number in range(3)]
    assert await asyncio.gather(*(each.load() for each in stores)) == [SAVED] * 3
    await stores[0].update(lambda saved: saved)
    assert len(derived) == 1


async def test_deleting_a_login_leaves_the_others_readable(logins: PostgresLogins) -> None:
    one, other = (logins.login(name, passphrase="right") for name in ("one", "other"))
    await one.save(SAVED)
    await other.save(SAVED)
    await one.clear()
    assert await one.load() is None
    await other.update(lambda saved: saved)
    assert await logins.login("other", passphrase="right").load() == SAVED


@pytest.mark.parametrize("content", [b"{", msgspec.json.encode(msgspec.structs.replace(SAVED, version=99))])
async def test_a_damaged_login_is_renamed_once(schema: TemporarySchema, logins: PostgresLogins, content: bytes) -> None:
    store = logins.login("me")
    await store.save(SAVED)
    schema.execute(f"UPDATE saved_logins SET login = decode('{content.hex()}', 'hex')")

    with pytest.raises(InvalidLogin, match=r"it was renamed to 'me\.invalid-"):
        await store.load()
    assert await store.load() is None
    assert schema.execute("SELECT encode(login, 'hex') FROM saved_logins WHERE name <> 'me'").strip() == content.hex()


async def test_another_process_does_not_sync_the_same_login(schema: TemporarySchema, logins: PostgresLogins) -> None:
    other = PostgresLogins(PostgresDatabase(schema.url))
    async with logins.login("me").syncing():
        with pytest.raises(AlreadyRunning) as caught:
            await other.login("me").syncing().__aenter__()
        async with other.login("you").syncing():
            pass
    async with other.login("me").syncing():
        pass
    await other.close()
    assert caught.value.pid is None


async def test_a_worker_that_has_lost_the_account_does_not_change_its_login(schema: TemporarySchema) -> None:
    member = ClusterMember(worker="a", fence=lambda account: Fence(account=account, epoch=2), timeout=5)
    logins = PostgresLogins(PostgresDatabase(schema.url, member))
    store = logins.login("me", account=7)
    await store.save(SAVED)
    schema.execute("UPDATE accounts SET epoch = 3 WHERE account = 7")
    for change in (store.save(SAVED), store.update(lambda saved: saved), store.reserve_id(5), store.clear()):
        with pytest.raises(NotOwner):
            await change
    assert await store.load() == SAVED
    await logins.close()
