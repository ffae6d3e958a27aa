"""Archived media: files that are deleted with their messages only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.archived_media import contents, keep, receive
from tests.storage.arrivals import (
    FRIEND,
    ROOM,
    UIN,
    message,
    opened,
)

from webwx.model.events import ContinuityLost, event_from_item
from webwx.storage.lookup import export_entries
from webwx.storage.tables.media import ARCHIVE_CONSUMER

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal


@pytest.fixture
def folder(account: AccountJournal) -> Path:
    with account.media.begin() as (_, part):
        return part.parent


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def empty(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


async def test_an_archived_file_is_found_by_its_message(account: AccountJournal) -> None:
    one, other = await receive(account, message(1), message(2))
    assert await keep(account, one, b"shown")
    await account.media.pass_over(other, "too_large", time=1.0)

    found, passed_over = await account.media.find("1"), await account.media.find("2")
    assert found is not None
    assert (found.number, found.state, found.size) == (one.number, "kept", 5)
    assert contents(Path(found.path).parent) == [b"shown"]
    assert passed_over is not None
    assert (passed_over.state, passed_over.path) == ("too_large", "")
    assert await account.media.find("3") is None
    assert (await account.stats()).kept_size == 5


async def test_equal_bytes_are_stored_once_until_the_last_message_is_deleted(
    account: AccountJournal, folder: Path
) -> None:
    one, other = await receive(account, message(1), message(2, chat=ROOM))
    await keep(account, one, b"shown")
    await keep(account, other, b"shown")
    assert contents(folder) == [b"shown"]

    await account.purge(chats=[FRIEND])
    assert contents(folder) == [b"shown"]
    await account.purge(chats=[ROOM])
    assert contents(folder) == []


async def test_making_space_does_not_delete_bytes_of_another_message(account: AccountJournal, folder: Path) -> None:
    one, same, other = await receive(account, message(1), message(2), message(3))
    await keep(account, one, b"shown")
    await keep(account, same, b"shown")
    await keep(account, other, b"other", max_total=10)

    assert contents(folder) == [b"other", b"shown"]
    states = [found.state for number in "123" if (found := await account.media.find(number))]
    assert states == ["dropped", "kept", "kept"]


async def test_the_limit_counts_the_files_that_are_still_stored(account: AccountJournal) -> None:
    first, second, third = await receive(account, message(1), message(2), message(3))
    await keep(account, first, b"longer than its successor")
    await keep(account, first, b"12345", at=2_000.0)
    await keep(account, second, b"dropped")
    assert await account.media.drop(before=1_500.0) == 1
    await account.media.pass_over(second, "too_large", time=2_000.0)
    [purged] = await receive(account, message(4, at=100))
    await keep(account, purged, b"purged", at=2_000.0)
    assert await account.purge(before=200.0)

    await keep(account, third, b"67890", max_total=10, at=2_000.0)
    assert [found.state for each in "123" if (found := await account.media.find(each))] == ["kept", "too_large", "kept"]
    await keep(account, second, b"-", max_total=10, at=2_000.0)
    assert [found.state for each in "123" if (found := await account.media.find(each))] == ["dropped", "kept", "kept"]


async def test_a_message_that_is_deleted_during_its_download_leaves_no_file(
    account: AccountJournal, folder: Path
) -> None:
    [entry] = await receive(account, message(1))
    await account.purge(chats=[FRIEND])

    assert not await keep(account, entry, b"shown")
    await account.media.pass_over(entry, "unavailable", time=1.0)
    assert names(folder) == set()
    assert await account.media.find("1") is None


async def test_an_unfinished_file_is_deleted(account: AccountJournal, folder: Path) -> None:
    with account.media.begin() as (file, _):
        file.write(b"half of it")
        assert len(names(folder)) == 1
    assert names(folder) == set()


async def test_one_account_deletes_no_media_of_another(journal: Journal, account: AccountJournal) -> None:
    other = await opened(journal, UIN + 1)
    for each in (account, other):
        [entry] = await receive(each, message(1))
        await keep(each, entry, b"shown", at=100.0)
    await keep(other, (await receive(other, message(2)))[0], b"later", at=200.0)

    assert await other.media.drop(before=150.0) == 1
    assert await other.media.drop() == 1
    found = await account.media.find("1")
    assert found is not None
    assert found.path


async def test_a_file_that_was_deleted_by_hand_has_no_path(account: AccountJournal, folder: Path) -> None:
    [entry] = await receive(account, message(1))
    await keep(account, entry, b"shown")
    empty(folder)

    found = await account.media.find("1")
    assert found is not None
    assert not found.path


async def test_the_cursor_of_the_archive_causes_no_gaps(account: AccountJournal) -> None:
    keeper, reader = await account.consumer(ARCHIVE_CONSUMER), await account.consumer("reader")
    await receive(account, message(1), message(2))
    for entry in await reader.take(2):
        reader.ack(entry.number)
    await reader.flush()
    await account.purge(before=2**40)

    left = [event_from_item(entry.item, entry.own_id) async for entry in export_entries(account)]
    assert [event for event in left if isinstance(event, ContinuityLost) and event.reason == "purged"] == []
    await keeper.close()
