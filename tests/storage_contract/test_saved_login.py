"""The saved login: every engine stores it atomically, loses no change, and allows one sync loop."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.postgres import new_schema
from tests.saved import LOGIN

from webwx.errors import AlreadyRunning
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Item
from webwx.storage.login import LoginFile, LoginMemory
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.logins import PostgresLogins
from webwx.storage.saved_login import Ended, SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.storage.saved_login import LoginStore

SAVED = SavedLogin(
    login=LOGIN,
    pending=(Item(kind="message", raw=msgspec.Raw(b'{"MsgId":"1",\n"Content":"\xff"}')),),
    ended=Ended(reason="phone", text="The login has ended."),
)
CONTACTS = Contacts([Contact(id=ContactId("@a"), nickname="张三😀", remark="Boss")])


@pytest.fixture(
    params=[
        "file",
        "encrypted file",
        "memory",
        *(pytest.param(name, marks=pytest.mark.verify) for name in ("postgres", "encrypted postgres")),
    ]
)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LoginStore]:
    passphrase = "correct horse battery staple" if request.param.startswith("encrypted") else None
    if request.param.endswith("postgres"):
        logins = PostgresLogins(PostgresDatabase(new_schema().url))
        yield logins.login("me", passphrase=passphrase)
        await logins.close()
    else:
        yield LoginMemory() if request.param == "memory" else LoginFile(tmp_path / "me.json", passphrase=passphrase)


async def test_a_saved_login_can_be_loaded(store: LoginStore) -> None:
    await store.save(SAVED)

    assert await store.load() == SAVED


async def test_there_is_no_login_at_first(store: LoginStore) -> None:
    assert await store.load() is None
    assert len(await store.load_contacts()) == len(Contacts())


async def test_a_new_login_replaces_an_earlier_one(store: LoginStore) -> None:
    await store.save(SAVED)
    await store.save(SavedLogin(login=LOGIN))

    assert await store.load() == SavedLogin(login=LOGIN)


async def test_a_change_starts_from_the_saved_login(store: LoginStore) -> None:
    await store.save(SAVED)
    await store.update(lambda saved: msgspec.structs.replace(saved, ended=None))

    assert await store.load() == msgspec.structs.replace(SAVED, ended=None)


async def test_without_a_login_nothing_is_changed(store: LoginStore) -> None:
    await store.update(lambda saved: SAVED)

    assert await store.load() is None


async def test_a_change_that_fails_leaves_the_login_as_it_was(store: LoginStore) -> None:
    def fail(saved: SavedLogin) -> SavedLogin:
        raise ValueError("a mistake")

    await store.save(SAVED)
    with pytest.raises(ValueError, match="a mistake"):
        await store.update(fail)
    await store.update(lambda saved: saved)

    assert await store.load() == SAVED


async def test_an_id_is_reserved_once_and_they_only_grow(store: LoginStore) -> None:
    assert [await store.reserve_id(each) for each in (100, 100, 50, 200, 0)] == [100, 101, 102, 200, 201]


async def test_contacts_are_stored_beside_the_login(store: LoginStore) -> None:
    await store.save_contacts(CONTACTS)

    assert list(await store.load_contacts()) == list(CONTACTS)
    assert await store.load() is None


async def test_a_later_change_of_stored_contacts_is_not_stored(store: LoginStore) -> None:
    contacts = CONTACTS.copy()
    await store.save_contacts(contacts)
    contacts.remove("@a")

    assert "@a" in await store.load_contacts()


async def test_clearing_deletes_the_login_and_its_contacts(store: LoginStore) -> None:
    await store.save(SAVED)
    await store.save_contacts(CONTACTS)
    await store.clear()
    await store.clear()

    assert await store.load() is None
    assert len(await store.load_contacts()) == len(Contacts())


async def test_preparing_makes_no_login_and_keeps_an_existing_one(store: LoginStore) -> None:
    await store.prepare()
    assert await store.load() is None
    await store.save(SAVED)
    await store.prepare()

    assert await store.load() == SAVED


async def test_only_one_owner_may_sync_at_a_time(store: LoginStore) -> None:
    async with store.syncing():
        with pytest.raises(AlreadyRunning) as caught:
            await store.syncing().__aenter__()
    async with store.syncing():
        pass

    assert caught.value.pid == os.getpid()


async def test_the_login_can_be_changed_during_a_sync(store: LoginStore) -> None:
    await store.save(SAVED)
    async with store.syncing():
        await store.update(lambda saved: msgspec.structs.replace(saved, pending=()))

    saved = await store.load()
    assert saved is not None
    assert saved.pending == ()


async def test_changes_of_several_threads_lose_nothing(store: LoginStore) -> None:
    await store.save(msgspec.structs.replace(SAVED, pending=()))

    def add_one(saved: SavedLogin) -> SavedLogin:
        time.sleep(0)  # another thread runs between reading and writing.
        return msgspec.structs.replace(saved, pending=(*saved.pending, *SAVED.pending))

    async def add() -> None:
        for _ in range(5):
            await store.update(add_one)

    threads = [threading.Thread(target=asyncio.run, args=(add(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    saved = await store.load()
    assert saved is not None
    assert len(saved.pending) == 20
