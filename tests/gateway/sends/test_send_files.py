"""Files of sends: they are kept after the given file is deleted, and those of background sends for the next process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from tests.postgres import TemporarySchema

from webwx.errors import StorageError
from webwx.gateway.sends.background_sends import QueuedSend
from webwx.gateway.sends.send_files import FolderSendFiles, SharedSendFiles
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.gateway.sends.send_files import AccountSendFiles

UIN = 1


class Place(Protocol):
    """Where the files of an account are kept."""

    def open(self) -> AccountSendFiles:
        """Return the files as a new process has them, which may run on another machine."""
        ...


class FolderPlace:
    """A folder of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> AccountSendFiles:
        return FolderSendFiles(self._folder / "sends")


class DatabasePlace:
    """A database that machines share; each has a folder of its own for the copies."""

    def __init__(self, folder: Path, storage: PostgresStorage) -> None:
        self._folder = folder
        self._storage = storage
        self._opened = 0

    def open(self) -> AccountSendFiles:
        self._opened += 1
        return SharedSendFiles(self._folder / f"{self._opened}", self._storage.send_files(UIN))


@pytest.fixture(params=["folder", pytest.param("database", marks=pytest.mark.verify)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "folder":
        yield FolderPlace(tmp_path)
        return
    storage = PostgresStorage(request.getfixturevalue("schema").url)
    yield DatabasePlace(tmp_path, storage)
    await storage.close()


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


async def stored(files: AccountSendFiles, given: Path, number: int) -> QueuedSend:
    """Store the file of a background send."""
    send = QueuedSend(number, "k", await files.keep(given))
    await files.store(send)
    return send


async def read(files: AccountSendFiles, send: QueuedSend) -> bytes | None:
    """Return the file of a background send; None if it is gone."""
    await files.fetch(send)
    path = files.path(send.file)
    return path.read_bytes() if path.exists() else None


async def test_a_kept_file_survives_the_given_one_and_takes_no_space(place: Place, given: Path) -> None:
    files = place.open()
    name = await files.keep(given)
    assert files.path(name).samefile(given)
    given.unlink()
    assert files.path(name).read_bytes() == b"content"
    assert files.path(name).parent.stat().st_mode & 0o077 == 0
    await files.discard(name)
    await files.discard(name)
    assert not files.path(name).exists()


async def test_the_file_of_a_promised_send_is_there_for_the_next_process(place: Place, given: Path) -> None:
    send = await stored(place.open(), given, 1)
    given.unlink()
    files = place.open()
    for _ in range(2):
        assert await read(files, send) == b"content"
    assert files.path(send.file).stat().st_mode & 0o077 == 0
    assert [path.name for path in files.path(send.file).parent.iterdir()] == [send.file]


async def test_the_file_of_a_settled_send_is_gone_for_every_process(place: Place, given: Path) -> None:
    files = place.open()
    send = await stored(files, given, 1)
    await files.delete(send)
    await files.delete(send)
    assert await read(files, send) is None
    assert await read(place.open(), send) is None


async def test_files_that_no_send_has_are_deleted_by_the_next_process(place: Place, given: Path) -> None:
    before = place.open()
    await before.delete_all_but([])
    kept, left = await stored(before, given, 1), await stored(before, given, 2)
    unnamed = await before.keep(given)
    files = place.open()
    await files.delete_all_but([kept])
    assert await read(files, kept) == b"content"
    assert await read(files, left) is None
    assert not files.path(unnamed).exists()
    await files.delete_all_but([])
    assert await read(place.open(), kept) is None


async def test_a_missing_file_is_reported(place: Place, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be kept"):
        await place.open().keep(tmp_path / "gone")


@pytest.mark.verify
async def test_a_file_is_not_stored_after_a_takeover(schema: TemporarySchema, tmp_path: Path, given: Path) -> None:
    storage = PostgresStorage(schema.url)
    files = DatabasePlace(tmp_path, storage).open()
    await stored(files, given, 1)
    schema.execute("UPDATE accounts SET epoch = epoch + 1")
    with pytest.raises(NotOwner):
        await stored(files, given, 2)
    await storage.close()


@pytest.mark.verify
async def test_a_file_that_is_stored_by_two_owners_is_that_of_the_later_one(
    schema: TemporarySchema, tmp_path: Path, given: Path
) -> None:
    storage = PostgresStorage(schema.url)
    place = DatabasePlace(tmp_path, storage)
    earlier = await stored(place.open(), given, 1)
    given.write_bytes(b"given again")
    await stored(place.open(), given, 1)
    assert await read(place.open(), earlier) == b"given again"
    await storage.close()
