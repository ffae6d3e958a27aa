"""Uploads: stored under their own names, in bounded memory, for a day."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import MP4, PNG

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


async def test_the_kind_is_seen_in_the_content(uploads: UploadStore) -> None:
    for content, kind in ((MP4, "video"), (b"text", "file")):
        assert (await uploads.add(pieces(content), name="x", owner="k", limit=10**6)).kind == kind


async def test_what_is_too_large_empty_or_damaged_leaves_no_file(uploads: UploadStore, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"abc").digest()
    await uploads.add(pieces(b"abc"), name="x", owner="k", limit=3, sha256=digest)
    for content, limit in ((b"abcd", 3), (b"", 3), (b"abd", 3)):
        with pytest.raises(GatewayProblem):
            await uploads.add(pieces(content), name="x", owner="k", limit=limit, sha256=digest)

    assert len(files_in(tmp_path)) == 1


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
