"""Uploads: stored under their own names, in bounded memory, for a day."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import MP4, PNG

from webwx.errors import StorageError
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.uploads import LIFETIME, UploadStore, plain_name
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = [1_000.0]


@pytest.fixture
def uploads(tmp_path: Path) -> UploadStore:
    NOW[0] = 1_000.0
    return UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: NOW[0])


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


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
    for offset, content, code in ((0, b"abc", "conflict"), (4, b"e", "conflict"), (3, b"def", "too-large")):
        with pytest.raises(GatewayProblem) as refused:
            await uploads.append(upload, pieces(content), offset=offset, keeps_part=True)
        assert refused.value.code == code
    assert uploads.path(upload.id).read_bytes() == b"abc"


async def test_two_requests_do_not_continue_one_upload_at_once(uploads: UploadStore) -> None:
    upload = await uploads.begin(name="x", owner="k", length=4)
    may_end = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        await may_end.wait()
        yield b"cd"

    first = asyncio.ensure_future(uploads.append(upload, slow(), offset=0, keeps_part=True))
    await asyncio.sleep(0)
    with pytest.raises(GatewayProblem, match="Another request"):
        await uploads.append(upload, pieces(b"abcd"), offset=0, keeps_part=True)
    may_end.set()
    assert (await first).is_complete


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
