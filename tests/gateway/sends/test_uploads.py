"""Uploads: stored under their own names, in bounded memory, for a day."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.conftest import MP4, PNG
from tests.gateway.conftest import pieces

from webwx.errors import StorageError
from webwx.gateway.config import LimitsTable
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploads import LIFETIME, UploadStore, plain_name
from webwx.storage.open import open_records
from webwx.storage.sqlite.private import PrivateRecordStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore, StoredRecord

NOW = [1_000.0]


@pytest.fixture
def uploads(tmp_path: Path) -> UploadStore:
    NOW[0] = 1_000.0
    return UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: NOW[0])


def files_in(folder: Path) -> list[Path]:
    return list((folder / "uploads").iterdir())


async def test_an_upload_is_stored_and_belongs_to_its_caller(uploads: UploadStore, tmp_path: Path) -> None:
    upload = await uploads.add(pieces(PNG[:100], PNG[100:]), name="../../a.png", owner="k", limit=10**6)

    assert (upload.name, upload.size, upload.kind, upload.media_type) == ("a.png", len(PNG), "image", "image/png")
    assert files_in(tmp_path) == [uploads.path(upload.id)]
    assert files_in(tmp_path)[0].read_bytes() == PNG
    assert files_in(tmp_path)[0].stat().st_mode & 0o077 == 0
    assert await uploads.find(upload.id, "k") == upload
    assert await uploads.find(upload.id, "other") is None
    assert await uploads.find("../gateway.db", "k") is None
    await uploads.delete(upload.id)
    assert await uploads.find(upload.id, "k") is None
    assert files_in(tmp_path) == []


async def test_the_kind_is_recognised_by_the_content(uploads: UploadStore) -> None:
    for content, kind in ((MP4, "video"), (b"text", "file")):
        assert (await uploads.add(pieces(content), name="x", owner="k", limit=10**6)).kind == kind


async def broken(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield pieces, and then raise the error of a lost connection."""
    for part in parts:
        yield part
    raise ConnectionResetError


async def test_an_upload_that_is_too_large_empty_or_interrupted_leaves_no_file(
    uploads: UploadStore, tmp_path: Path
) -> None:
    await uploads.add(pieces(b"abc"), name="x", owner="k", limit=3)
    for content in (b"abcd", b""):
        with pytest.raises(GatewayProblem):
            await uploads.add(pieces(content), name="x", owner="k", limit=3)
    with pytest.raises(StorageError):
        await uploads.add(broken(b"ab"), name="x", owner="k", limit=3)

    assert len(files_in(tmp_path)) == 1


async def test_an_interrupted_upload_whose_file_is_gone_has_the_error_of_the_interruption(
    uploads: UploadStore, tmp_path: Path
) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"ab"
        for path in files_in(tmp_path):
            path.unlink()
        raise GatewayProblem("too-large", "There is no room.")

    with pytest.raises(GatewayProblem, match="There is no room"):
        await uploads.add(cut(), name="x", owner="k", limit=3)
    assert files_in(tmp_path) == []


async def test_an_upload_that_cannot_be_recorded_has_this_error_although_its_file_is_gone(tmp_path: Path) -> None:
    class FullDisk(PrivateRecordStore):
        async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:  # noqa: A002
            for path in files_in(tmp_path):
                path.unlink()
            raise StorageError("The disk is full.")

    uploads = UploadStore(FullDisk(), tmp_path / "uploads", lambda: NOW[0])
    with pytest.raises(StorageError, match="The disk is full"):
        await uploads.begin(name="x", owner="k", length=3)


async def test_an_upload_of_a_known_length_can_have_parts(uploads: UploadStore) -> None:
    upload = await uploads.begin(name="a.png", owner="k", length=len(PNG))
    assert (await uploads.offset(upload), upload.is_complete) == (0, False)
    upload = await uploads.append(upload, pieces(PNG[:50], PNG[50:100]), offset=0, keeps_part=True)
    later = await uploads.find(upload.id, "k")
    assert later == upload
    assert (await uploads.offset(upload), upload.is_complete) == (100, False)
    upload = await uploads.append(upload, pieces(PNG[100:]), offset=100, keeps_part=True)

    assert (upload.is_complete, upload.kind, upload.media_type) == (True, "image", "image/png")
    assert await uploads.find(upload.id, "k") == upload
    assert uploads.path(upload.id).read_bytes() == PNG


async def test_an_interrupted_part_is_kept_only_if_it_needs_no_check(uploads: UploadStore) -> None:
    upload = await uploads.begin(name="x", owner="k", length=10)
    for keeps_part, offset in ((False, 0), (True, 4)):
        with pytest.raises(StorageError):
            await uploads.append(upload, broken(b"abcd"), offset=0, keeps_part=keeps_part)
        assert await uploads.offset(upload) == offset


async def test_a_part_at_another_place_or_beyond_the_length_is_refused(uploads: UploadStore) -> None:
    upload = await uploads.begin(name="x", owner="k", length=5)
    await uploads.append(upload, pieces(b"abc"), offset=0, keeps_part=True)
    for offset, content, code in ((0, b"abc", "conflict"), (4, b"e", "conflict"), (3, b"def", "body-too-large")):
        with pytest.raises(GatewayProblem) as refused:
            await uploads.append(upload, pieces(content), offset=offset, keeps_part=True)
        assert refused.value.code == code
    assert uploads.path(upload.id).read_bytes() == b"abc"


async def test_two_requests_do_not_continue_one_upload_at_once(uploads: UploadStore) -> None:
    upload = await uploads.begin(name="x", owner="k", length=4)
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        has_begun.set()
        yield b"ab"
        await may_end.wait()
        yield b"cd"

    first = asyncio.ensure_future(uploads.append(upload, slow(), offset=0, keeps_part=True))
    await has_begun.wait()
    with pytest.raises(GatewayProblem, match="Another request"):
        await uploads.append(upload, pieces(b"abcd"), offset=0, keeps_part=True)
    may_end.set()
    assert (await first).is_complete


# -- quotas and the disk ---------------------------------------------------------------------------------------------


def limited(tmp_path: Path, records: RecordStore | None = None, **limits: int) -> UploadStore:
    table = LimitsTable(**{"uploads_free": 0, **limits})
    return UploadStore(records or open_records("memory:"), tmp_path / "uploads", lambda: NOW[0], limits=lambda: table)


async def refused(upload: Awaitable[object]) -> bool:
    """Return whether there is no room for an upload."""
    with pytest.raises(GatewayProblem) as problem:
        await upload
    return problem.value.code == "no-room"


@pytest.mark.parametrize(("owner", "limits"), [("a", {"uploads_per_key": 10}), ("b", {"uploads": 10})])
async def test_all_uploads_of_a_key_and_of_all_keys_have_a_limit(
    tmp_path: Path, owner: str, limits: dict[str, Any]
) -> None:
    uploads = limited(tmp_path, **limits)
    first = await uploads.add(pieces(b"123456"), name="x", owner="a", limit=100)
    assert await refused(uploads.add(pieces(b"12", b"345"), name="x", owner=owner, limit=100))
    assert await refused(uploads.begin(name="x", owner=owner, length=5))
    assert len(files_in(tmp_path)) == 1
    begun = await uploads.begin(name="x", owner=owner, length=4)
    assert await refused(uploads.add(pieces(b"1"), name="x", owner=owner, limit=100))
    await uploads.delete(first.id)
    await uploads.add(pieces(b"123456"), name="x", owner=owner, limit=100)
    assert (await uploads.append(begun, pieces(b"1234"), offset=0, keeps_part=True)).is_complete


async def test_another_key_is_not_affected_by_the_limit_of_one(tmp_path: Path) -> None:
    uploads = limited(tmp_path, uploads_per_key=10)
    await uploads.add(pieces(b"123456"), name="x", owner="a", limit=100)
    await uploads.add(pieces(b"123456"), name="x", owner="b", limit=100)
    assert await refused(uploads.add(pieces(b"123456"), name="x", owner="a", limit=100))


async def test_uploads_that_arrive_at_the_same_time_share_the_limit(tmp_path: Path) -> None:
    uploads = limited(tmp_path, uploads_per_key=10)
    has_arrived, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"123456"
        has_arrived.set()
        await may_end.wait()

    first = asyncio.ensure_future(uploads.add(slow(), name="x", owner="a", limit=100))
    await has_arrived.wait()
    assert await refused(uploads.add(pieces(b"12345"), name="x", owner="a", limit=100))
    may_end.set()
    assert (await first).size == 6
    assert len(files_in(tmp_path)) == 1


async def test_uploads_of_an_earlier_process_count(tmp_path: Path) -> None:
    records = open_records("memory:")
    await limited(tmp_path, records).add(pieces(b"123456"), name="x", owner="a", limit=100)
    assert await refused(
        limited(tmp_path, records, uploads_per_key=10).add(pieces(b"12345"), name="x", owner="a", limit=100)
    )


async def test_room_on_the_disk_stays_free(tmp_path: Path) -> None:
    uploads = limited(tmp_path, uploads_free=2**62)
    assert await refused(uploads.add(pieces(b"1"), name="x", owner="a", limit=100))
    assert await refused(uploads.begin(name="x", owner="a", length=1))
    assert files_in(tmp_path) == []


class FullDisk(PrivateRecordStore):
    """Records that can be deleted only while no file takes the space."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._uploads = folder

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        if any(self._uploads.iterdir()):
            raise StorageError("The disk is full.")
        return await super().delete(kind, id, version=version)


async def test_an_upload_can_be_deleted_and_expires_on_a_full_disk(tmp_path: Path) -> None:
    uploads = limited(tmp_path, FullDisk(tmp_path / "uploads"))
    upload = await uploads.add(pieces(b"1"), name="x", owner="a", limit=100)
    await uploads.delete(upload.id)
    assert (await uploads.find(upload.id, "a"), files_in(tmp_path)) == (None, [])
    for _ in range(3):
        await uploads.add(pieces(b"1"), name="x", owner="a", limit=100)
    NOW[0] += LIFETIME
    await uploads.delete_expired()
    assert files_in(tmp_path) == []


async def test_an_upload_without_its_file_does_not_exist(tmp_path: Path) -> None:
    uploads = limited(tmp_path)
    upload = await uploads.add(pieces(b"1"), name="x", owner="a", limit=100)
    uploads.path(upload.id).unlink()
    assert await uploads.find(upload.id, "a") is None


async def test_the_file_of_an_upload_that_a_kill_has_ended_is_deleted(tmp_path: Path) -> None:
    uploads = limited(tmp_path)
    kept = await uploads.add(pieces(b"1"), name="x", owner="a", limit=100)
    left = uploads.path("0" * 32)
    left.write_bytes(b"left")
    has_arrived, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"1"
        has_arrived.set()
        await may_end.wait()

    running = asyncio.ensure_future(uploads.add(slow(), name="x", owner="a", limit=100))
    await has_arrived.wait()
    await uploads.delete_left(min_age=0.0)
    may_end.set()
    assert set(files_in(tmp_path)) == {uploads.path(kept.id), uploads.path((await running).id)}


async def test_a_file_of_another_process_that_is_young_stays(tmp_path: Path) -> None:
    uploads = limited(tmp_path)
    await uploads.add(pieces(b"1"), name="x", owner="a", limit=100)
    uploads.path("0" * 32).write_bytes(b"arrives")
    await uploads.delete_left(min_age=600.0)
    assert len(files_in(tmp_path)) == 2


async def test_the_uploads_of_deleted_keys_are_deleted(tmp_path: Path) -> None:
    uploads = limited(tmp_path)
    for owner in ("a", "b", "console"):
        await uploads.add(pieces(b"1"), name="x", owner=owner, limit=100)
    await uploads.delete_of_others({"a", "console"})
    assert len(files_in(tmp_path)) == 2


async def test_an_upload_is_deleted_after_a_day(uploads: UploadStore, tmp_path: Path) -> None:
    old = await uploads.add(pieces(b"old"), name="x", owner="k", limit=10)
    NOW[0] += LIFETIME
    assert await uploads.find(old.id, "k") is None
    await uploads.add(pieces(b"new"), name="x", owner="k", limit=10)
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a.pdf", "a.pdf"),
        ("/etc/passwd", "passwd"),
        ("..\\a.exe", "a.exe"),
        ("..", "file"),
        ("\r\na\x00b", "ab"),
        ("报告.pdf", "报告.pdf"),
    ],
)
def test_names_have_no_folders_and_no_control_characters(name: str, plain: str) -> None:
    assert plain_name(name) == plain


async def test_a_node_deletes_its_own_expired_uploads_and_those_that_another_one_has_left(tmp_path: Path) -> None:
    NOW[0] = 1_000.0
    records = open_records("memory:")
    one, two = (UploadStore(records, tmp_path / name, lambda: NOW[0], f"http://{name}") for name in ("one", "two"))
    upload = await one.add(pieces(PNG), name="x", owner="k", limit=10**6)
    NOW[0] += LIFETIME
    await two.delete_expired()
    assert one.path(upload.id).exists()
    assert await records.get("upload", upload.id) is not None
    await one.delete_expired()
    assert not one.path(upload.id).exists()

    upload = await one.add(pieces(PNG), name="x", owner="k", limit=10**6)
    NOW[0] += 2 * LIFETIME
    await two.delete_expired()
    assert await records.get("upload", upload.id) is None
