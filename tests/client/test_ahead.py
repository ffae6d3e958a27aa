"""Windows that are read ahead: the right bytes, never more than one too early, and nobody waits in vain."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING

import pytest

from webwx.client.ahead import Ahead
from webwx.errors import NoSuchFile
from webwx.protocol.http import Read

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(10))


class Told(io.BytesIO):
    """An open file that tells what was read, and in which thread."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.starts: list[int] = []
        self.threads: set[int] = set()
        self.may_be_read = threading.Event()
        self.may_be_read.set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.may_be_read.wait(10)
        self.starts.append(self.tell())
        self.threads.add(threading.get_ident())
        return super().read(size)


def window(source: Told | str | bytes, start: int) -> Read:
    return Read(source=source, start=start, size=4)


async def test_each_is_read_once_and_one_before_it_is_wished_for() -> None:
    file = Told(CONTENT)
    async with Ahead(len(CONTENT)) as ahead:
        assert await ahead.read(window(file, 0)) == CONTENT[:4]
        await asyncio.sleep(0.05)
        assert file.starts == [0, 4]
        assert await ahead.read(window(file, 4)) == CONTENT[4:8]
        assert await ahead.read(window(file, 8)) == CONTENT[8:]
    assert file.starts == [0, 4, 8]
    assert len(file.threads) == 1


async def test_one_that_is_wished_for_again_is_read_again() -> None:
    file = Told(CONTENT)
    async with Ahead(len(CONTENT)) as ahead:
        for start in (0, 0, 4, 0, 4, 8):
            assert await ahead.read(window(file, start)) == CONTENT[start : start + 4]


async def test_what_was_read_ahead_is_finished_before_anybody_else_reads() -> None:
    file = Told(CONTENT)
    async with Ahead(len(CONTENT)) as ahead:
        await ahead.read(window(file, 0))
    async with Ahead(len(CONTENT)) as ahead:
        assert await ahead.read(window(file, 4)) == CONTENT[4:8]
    assert file.starts == [0, 4, 4, 8]


async def test_a_file_that_has_gone_is_told_of_when_its_window_is_wished_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    async with Ahead(len(CONTENT)) as ahead:
        await ahead.read(window(str(path), 0))
        await ahead.read(window(str(path), 4))
        await asyncio.sleep(0.05)
        path.unlink()
        assert await ahead.read(window(str(path), 8)) == CONTENT[8:]
        with pytest.raises(NoSuchFile):
            await ahead.read(window(str(path), 4))


async def test_one_that_is_never_wished_for_may_fail(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    async with Ahead(len(CONTENT)) as ahead:
        assert await ahead.read(window(str(path), 0)) == CONTENT[:4]
        path.unlink()
    # Warnings are errors: nobody was left with an exception that was never looked at.


async def test_whoever_cancels_does_not_wait_for_the_disk() -> None:
    file = Told(CONTENT)

    async def work() -> None:
        async with Ahead(len(CONTENT)) as ahead:
            await ahead.read(window(file, 0))
            file.may_be_read.clear()
            await ahead.read(window(file, 8))

    working = asyncio.ensure_future(work())
    while file.starts != [0, 4]:  # noqa: ASYNC110 - another thread reads
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    working.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([working])
    assert working.cancelled()
    file.may_be_read.set()


async def test_nothing_is_read_ahead_of_bytes_or_behind_the_only_window() -> None:
    async with Ahead(len(CONTENT)) as ahead:
        assert await ahead.read(window(CONTENT, 4)) == CONTENT[4:8]
    file = Told(CONTENT[:4])
    async with Ahead(4) as ahead:
        assert await ahead.read(window(file, 0)) == CONTENT[:4]
    assert file.starts == [0]
