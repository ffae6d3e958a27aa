"""The contacts of a login survive the process: beside the login, and in the journal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import take
from tests.storage.calls import calls_of_this_thread, is_query

from webwx.errors import MediaUnavailable
from webwx.storage.login import LoginFile, LoginMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal


async def test_changes_by_sync_are_stored_when_the_client_closes(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    world.befriend("me", "ahua", remark="花")
    await take(client, 2, include_all=True)
    await client.close()
    other = new_client(store=store)
    await other.resume()

    assert other.contacts.find(remark="花").nickname == "阿华"


async def test_a_logout_deletes_the_stored_contacts(log_in: LogIn, world: World) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    await client.set_remark("阿华", "花")
    await client.logout()
    await client.close()

    assert len(await store.load_contacts()) == 1, "File Transfer Helper is the only contact"


async def test_contacts_are_read_from_the_journal_if_it_has_any(
    log_in: LogIn, new_client: NewClient, tmp_path: Path, journal: SqliteJournal
) -> None:
    path = tmp_path / "me.json"
    client = await log_in(store=LoginFile(path), journal=journal)
    known = len(client.contacts)
    path.with_suffix(".contacts.json").unlink()
    following = new_client(store=LoginFile(path), journal=journal)
    await following.resume()

    assert len(following.contacts) == known > 1


READS: dict[str, Callable[[AsyncClient], Awaitable[object]]] = {
    "list contacts": lambda client: client.list_contacts(),
    "list chats": lambda client: client.list_chats(),
    "avatar of a stranger": lambda client: client.download_avatar("@stranger"),
}


@pytest.mark.parametrize("name", READS)
async def test_all_contacts_are_read_in_another_thread(
    log_in: LogIn, journal: SqliteJournal, world: World, name: str
) -> None:
    for number in range(400):
        world.add_person(f"friend {number}", f"friend {number}")
        world.befriend("me", f"friend {number}")
    client = await log_in(journal=journal)
    await client.list_contacts()
    with calls_of_this_thread() as calls, suppress(MediaUnavailable):
        await READS[name](client)

    assert len(list(filter(is_query, calls))) <= 4  # Two lookups.
