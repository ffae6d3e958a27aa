"""Downloaded media: stored up to a limit of bytes and age; the oldest are removed first, except files in use."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from webwx.errors import MediaUnavailable
from webwx.gateway.accounts.media_cache import MediaCache
from webwx.gateway.config import LimitsTable

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.gateway.accounts.account import DownloadedMedia


class Downloads:
    """A cache with a limit of 300 bytes and ten days, and downloads of files of 100 bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1_000_000.0
        self.limits = LimitsTable(media=300, media_days=10)
        self.cache = MediaCache(folder, lambda: self.limits, lambda: self.now)
        self.made: list[str] = []

    async def download(self, folder: Path) -> Path:
        self.made.append(folder.name)
        await asyncio.sleep(0)
        path = folder / "photo.jpg"
        path.write_bytes(b"x" * 100)
        return path

    async def get(self, number: int) -> DownloadedMedia:
        self.now += 1
        return await self.cache.get(1, number, self.download)

    @property
    def kept(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("1/*/*"))


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "media")


async def test_media_are_downloaded_once(downloads: Downloads) -> None:
    first, second = await asyncio.gather(downloads.get(1), downloads.get(1))
    assert first.path == second.path
    assert (await downloads.get(1)).path.read_bytes() == b"x" * 100
    assert downloads.made == ["1"]
    assert (downloads.folder / "1").stat().st_mode & 0o077 == 0


async def test_the_oldest_files_are_removed_beyond_the_limit_of_bytes(downloads: Downloads) -> None:
    for number in (3, 1, 2, 4, 5):
        await downloads.get(number)
    assert downloads.kept == ["2", "4", "5"]
    await downloads.get(3)
    assert downloads.made == ["3", "1", "2", "4", "5", "3"]


async def test_a_file_in_use_is_not_removed_until_it_is_released(downloads: Downloads) -> None:
    used = await downloads.get(1)
    for number in (2, 3, 4, 5):
        await downloads.get(number)
    assert downloads.kept == ["1", "4", "5"]
    assert used.path.read_bytes() == b"x" * 100
    del used
    gc.collect()
    await downloads.get(6)
    assert downloads.kept == ["4", "5", "6"]


async def test_files_beyond_the_limit_of_age_are_removed_also_after_a_restart(downloads: Downloads) -> None:
    await downloads.get(1)
    downloads.now += 6 * 86_400
    await downloads.get(2)
    downloads.now += 5 * 86_400
    later = MediaCache(downloads.folder, lambda: downloads.limits, lambda: downloads.now)
    await later.trim()
    assert downloads.kept == ["2"]


async def test_changed_limits_apply_at_once(downloads: Downloads) -> None:
    for number in (1, 2, 3):
        await downloads.get(number)
    downloads.limits = LimitsTable(media=100, media_days=10)
    await downloads.get(4)
    assert downloads.kept == ["4"]


async def test_a_failed_download_leaves_no_file(downloads: Downloads) -> None:
    async def fail(folder: Path) -> Path:
        (folder / ".part").write_bytes(b"half")
        raise MediaUnavailable("gone")

    with pytest.raises(MediaUnavailable):
        await downloads.cache.get(1, 1, fail)
    assert (await downloads.get(1)).path.name == "photo.jpg"
