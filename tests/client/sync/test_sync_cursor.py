"""The sync cursor: the next fetch begins at the journal's position, not at that of the saved login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.carriers import Counted
from tests.client.conftest import take
from tests.saved import sync_key

from webwx.client.sync.sync_cursor import Position
from webwx.errors import StorageError
from webwx.protocol.sync import WEBWXSYNC
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.client.conftest import LogIn, NewClient

    from webwx.protocol.http import Request, Response
    from webwx.protocol.sync import SyncKey
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal
    from webwx.transport.runner import Transport


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


def test_a_position_is_equal_after_it_was_stored() -> None:
    position = Position(fetch_key=sync_key(1, 2), check_key=sync_key(3))

    assert Position.unpack(position.pack()) == position


@pytest.mark.parametrize("packed", [b"", b"{}", b"\xff", b'{"cipher":"aes-256-gcm"}'])
def test_a_position_of_another_program_is_refused(packed: bytes) -> None:
    with pytest.raises(StorageError, match="position"):
        Position.unpack(packed)


class Watching(Counted):
    """Records the keys of fetches."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.keys: list[SyncKey] = []

    async def send(self, request: Request) -> Response:
        if request.endpoint == WEBWXSYNC.name:
            self.keys.append(WEBWXSYNC.decode_request(request).sync_key)
        return await super().send(request)


async def test_a_client_follows_the_journal_and_not_the_saved_login(
    log_in: LogIn, new_client: NewClient, world: World, sandbox: SandboxCore
) -> None:
    carrier, store = Watching(Loopback(sandbox)), LoginMemory()
    client = await log_in(store=store, transport=carrier)
    old = await store.load()
    world.say("ahua", "me", "1")
    await take(client, 1)
    assert old is not None
    await store.save(old)
    following = new_client(store=store, transport=carrier)
    await following.resume()
    carrier.keys.clear()
    world.say("ahua", "me", "2")
    await take(following, 1)
    new = await store.load()

    assert old.login.fetch_key not in carrier.keys
    assert new is not None
    assert new.login.fetch_key != old.login.fetch_key


async def test_a_client_continues_from_the_saved_login_without_the_journal(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    async with await log_in(store=store) as client:
        world.say("ahua", "me", "1")
        await take(client, 1)
    following = new_client(store=store, journal=None)
    await following.resume()
    world.say("ahua", "me", "2")
    [event] = await take(following, 1)

    assert getattr(event, "text", "") == "2"


async def test_a_journal_is_not_needed_for_changes_of_contacts(log_in: LogIn, new_client: NewClient) -> None:
    store = LoginMemory()
    await log_in(store=store, journal=None)
    following = new_client(store=store)
    await following.resume()
    await following.set_remark("阿华", "花")
    await take(following, 1, include_all=True)
    third = new_client(store=store)
    await third.resume()

    assert third.contacts.find(remark="花").nickname == "阿华"


async def test_a_client_begins_with_a_login_from_before_the_journal(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    await log_in(store=store, journal=None)
    following = new_client(store=store)
    await following.resume()
    world.say("ahua", "me", "1")
    [event] = await take(following, 1)

    assert getattr(event, "text", "") == "1"
    assert event.number > 0
