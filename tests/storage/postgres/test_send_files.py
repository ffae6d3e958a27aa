"""The files of queued sends in a database: only the owner of the account stores them, and the next owner reads them."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN

from webwx.storage.account_folder import LoginName
from webwx.storage.postgres.archive import PIECE
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.postgres import TemporarySchema

    from webwx.storage.postgres.send_files import PostgresSendFiles

pytestmark = pytest.mark.verify

OTHER = UIN + 1


@pytest.fixture
async def storage(schema: TemporarySchema) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(schema.url)
    await storage.journal(LoginName("work", "wx.qq.com")).account(UIN).open_login(OWN, b"1", 1_000.0, [])
    yield storage
    await storage.close()


@pytest.fixture
def files(storage: PostgresStorage) -> PostgresSendFiles:
    return storage.send_files(UIN)


async def stored(files: PostgresSendFiles, number: int) -> bytes | None:
    """Return the file of a send; None if it is not stored completely."""
    copy = io.BytesIO()
    return copy.getvalue() if await files.copy_to(number, copy) else None


def pieces(schema: TemporarySchema) -> int:
    return int(schema.execute("SELECT count(*) FROM send_pieces"))


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
async def test_a_file_of_any_size_comes_back_with_the_same_bytes(files: PostgresSendFiles, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    await files.put(1, io.BytesIO(content[:size]))
    assert await stored(files, 1) == content[:size]
    assert await stored(files, 2) is None


async def test_a_file_that_is_stored_again_replaces_the_first_one(files: PostgresSendFiles) -> None:
    await files.put(1, io.BytesIO(b"long" * PIECE))
    await files.put(1, io.BytesIO(b"short"))
    assert await stored(files, 1) == b"short"


async def test_a_file_without_its_end_is_not_returned(files: PostgresSendFiles, schema: TemporarySchema) -> None:
    await files.put(1, io.BytesIO(bytes(2 * PIECE)))
    schema.execute("DELETE FROM send_pieces WHERE piece = 2")
    assert await stored(files, 1) is None


async def test_a_file_that_cannot_be_read_to_its_end_is_not_stored(
    files: PostgresSendFiles, schema: TemporarySchema
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output"):
        await files.put(1, Broken(bytes(2 * PIECE)))
    assert pieces(schema) == 0


async def test_files_are_deleted_one_by_one_or_all_but_some(
    files: PostgresSendFiles, storage: PostgresStorage, schema: TemporarySchema
) -> None:
    others = storage.send_files(OTHER)
    await others.put(1, io.BytesIO(b"of another account"))
    for number in (1, 2, 3):
        await files.put(number, io.BytesIO(b"%d" % number))
    await files.delete(1)
    await files.delete(1)
    await files.delete_all_but([3, 4])
    assert [await stored(files, number) for number in (1, 2, 3)] == [None, None, b"3"]
    await files.delete_all_but([])
    assert pieces(schema) == 1
    assert await stored(others, 1) == b"of another account"


async def test_a_file_of_many_pieces_is_deleted_completely(files: PostgresSendFiles, schema: TemporarySchema) -> None:
    schema.execute(f"INSERT INTO send_pieces SELECT {UIN}, 1, n, '' FROM generate_series(1, 300) n")
    await files.delete(1)
    assert pieces(schema) == 0


async def test_an_earlier_owner_stores_and_cleans_up_nothing(files: PostgresSendFiles, schema: TemporarySchema) -> None:
    await files.put(1, io.BytesIO(b"1"))
    schema.execute("UPDATE accounts SET epoch = epoch + 1")
    for refused in (files.put(1, io.BytesIO(b"2")), files.delete_all_but([])):
        with pytest.raises(NotOwner):
            await refused
    next_owner = PostgresStorage(schema.url)
    assert await stored(next_owner.send_files(UIN), 1) == b"1"
    await next_owner.close()


async def test_memory_does_not_grow_with_a_file(files: PostgresSendFiles, tmp_path: Path) -> None:
    path, copied = tmp_path / "large", tmp_path / "copy"
    with path.open("wb") as file:
        file.truncate(48 * PIECE)
    tracemalloc.start()
    try:
        with path.open("rb") as file, copied.open("wb") as copy:
            await files.put(1, file)
            assert await files.copy_to(1, copy)
        assert tracemalloc.get_traced_memory()[1] < 12 * PIECE
    finally:
        tracemalloc.stop()
    assert copied.stat().st_size == 48 * PIECE
