"""File chunks: the right bytes of the opened file, without deadlocks."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from webwx.errors import LocalStateError, NoSuchFile
from webwx.protocol.http import Read
from webwx.transport.file_chunks import FileChunks, FileStamp, is_settled, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path

CONTENT = bytes(range(10))


class RecordingFile(io.BytesIO):
    """
    An open file without a descriptor, so that only a thread can read it; it records the offset and length of each read.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.starts: list[int] = []
        self.threads: set[int] = set()
        self.may_be_read = threading.Event()
        self.may_be_read.set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.starts.append(self.tell())
        self.threads.add(threading.get_ident())
        self.may_be_read.wait(60)
        return super().read(size)


def window(source: RecordingFile | str | bytes, start: int) -> Read:
    return Read(source=source, start=start, size=4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


async def test_chunks_can_be_read_in_any_order_and_repeatedly(path: Path) -> None:
    for source in (str(path), RecordingFile(CONTENT), CONTENT):
        async with FileChunks(len(CONTENT)) as windows:
            for start in (0, 0, 4, 0, 4, 8):
                assert await windows.read(window(source, start)) == CONTENT[start : start + 4]


async def test_a_chunk_is_valid_until_the_next_one_is_read(path: Path) -> None:
    async with FileChunks(len(CONTENT)) as windows:
        for start in (0, 4, 8):
            content = await windows.read(window(str(path), start))
            await asyncio.sleep(0)
            assert content == CONTENT[start : start + 4]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system can be asked for what it has in memory")
async def test_a_cached_file_is_read_without_a_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    submitted: list[object] = []
    in_thread = loop.run_in_executor

    def submit(executor: Executor | None, function: Callable[..., object], *values: object) -> asyncio.Future[object]:
        submitted.append(function)
        return in_thread(executor, function, *values)

    monkeypatch.setattr(loop, "run_in_executor", submit)
    async with FileChunks(len(CONTENT)) as windows:
        for start in (0, 4, 8, 4, 0):
            await windows.read(window(str(path), start))
    assert len(submitted) == (1 if _can_ask(path) else 5)


def _can_ask(path: Path) -> bool:
    """Return whether the system of this file reports what it has in memory; not every file system does."""
    with path.open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(4)], 0, os.RWF_NOWAIT) == 4
        except OSError:
            return False


async def test_a_file_that_is_not_cached_is_read_by_one_thread() -> None:
    file = RecordingFile(CONTENT)
    async with FileChunks(len(CONTENT)) as windows:
        for start in (0, 4, 8):
            await windows.read(window(file, start))
    assert file.starts == [0, 4, 8]
    assert len(file.threads) == 1
    assert threading.get_ident() not in file.threads
    assert not file.closed


async def test_a_replaced_file_is_not_mixed_with_the_first_one(path: Path) -> None:
    async with FileChunks(len(CONTENT)) as windows:
        await windows.read(window(str(path), 0))
        other = path.with_name("other")
        other.write_bytes(CONTENT[::-1])
        other.replace(path)
        assert await windows.read(window(str(path), 4)) == CONTENT[4:8]


MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


async def _read_all(path: Path, windows: FileChunks) -> bytes:
    return b"".join([bytes(await windows.read(window(str(path), start))) for start in (0, 4, 8)])


def _rewrite(path: Path, content: bytes) -> None:
    """Rewrite a file until its modification time changes."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("is_sure", [True, False])
async def test_the_announced_file_is_complete(path: Path, is_sure: bool) -> None:
    async with FileChunks(len(CONTENT), MD5, look_of(path) if is_sure else None) as windows:
        assert await _read_all(path, windows) == CONTENT


@pytest.mark.parametrize("is_sure", [True, False])
@pytest.mark.parametrize("at", [0, 4])
async def test_the_last_chunk_of_a_rewritten_file_is_refused(path: Path, at: int, is_sure: bool) -> None:
    async with FileChunks(len(CONTENT), MD5, look_of(path) if is_sure else None) as windows:
        for start in range(0, at + 4, 4):
            await windows.read(window(str(path), start))
        _rewrite(path, CONTENT[::-1])
        with pytest.raises(LocalStateError, match="no message was sent"):
            await _read_all(path, windows)


@pytest.mark.parametrize("is_sure", [True, False])
async def test_the_last_chunk_of_a_replaced_file_is_refused(path: Path, is_sure: bool) -> None:
    async with FileChunks(len(CONTENT), MD5, look_of(path) if is_sure else None) as windows:
        path.with_name("other").write_bytes(CONTENT[::-1])
        path.with_name("other").replace(path)
        with pytest.raises(LocalStateError, match="no message was sent"):
            await _read_all(path, windows)


@pytest.mark.parametrize("is_sure", [True, False])
@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_file_that_is_renamed_or_replaced_after_it_was_opened_is_complete(
    path: Path, is_sure: bool, is_replaced: bool
) -> None:
    other = path.with_name("other")
    async with FileChunks(len(CONTENT), MD5, look_of(path) if is_sure else None) as windows:
        first = bytes(await windows.read(window(str(path), 0)))
        if is_replaced:
            other.write_bytes(CONTENT[::-1])
            other.replace(path)
        else:
            path.rename(other)
        rest = [bytes(await windows.read(window(str(path), start))) for start in (4, 8)]
    assert b"".join([first, *rest]) == CONTENT


async def test_the_only_chunk_of_changed_content_is_refused(path: Path) -> None:
    async with FileChunks(4, MD5) as windows:
        with pytest.raises(LocalStateError, match="no message was sent"):
            await windows.read(window(str(path), 0))


@pytest.mark.skipif(os.name != "posix", reason="no other system tells of all changes")
@pytest.mark.parametrize(
    ("ago", "step", "is_sure"),
    [(0.0, 1, False), (1.0, 1, True), (1.0, 10**9, False), (4.0, 10**9, True), (-60.0, 1, False)],
)
def test_a_file_that_has_just_changed_is_compared_by_content(path: Path, ago: float, step: int, is_sure: bool) -> None:
    changed = time.time_ns() - int(ago * 1e9)
    changed = changed // step * step if step > 1 else changed // 10**7 * 10**7 + 1
    assert is_settled((*look_of(path)[:4], changed)) is is_sure


def look_of(path: Path) -> FileStamp:
    with path.open("rb") as file:
        return stamp_of(file)


async def test_a_file_that_became_shorter_ends_early(path: Path) -> None:
    async with FileChunks(len(CONTENT)) as windows:
        await windows.read(window(str(path), 0))
        os.truncate(path, 6)
        assert await windows.read(window(str(path), 4)) == CONTENT[4:6]
        assert await windows.read(window(str(path), 8)) == b""


async def test_a_file_deleted_before_it_is_opened_is_reported(path: Path) -> None:
    async with FileChunks(len(CONTENT)) as windows:
        with pytest.raises(NoSuchFile, match=r"gone' cannot be read any more"):
            await windows.read(window(str(path.with_name("gone")), 0))


async def test_cancelling_does_not_wait_for_the_disk() -> None:
    file = RecordingFile(CONTENT)
    file.may_be_read.clear()

    async def work() -> None:
        async with FileChunks(len(CONTENT)) as windows:
            await windows.read(window(file, 0))

    working = asyncio.ensure_future(work())
    while not file.starts:  # noqa: ASYNC110 - another thread reads
        await asyncio.sleep(0.001)
    working.cancel()
    async with asyncio.timeout(30):
        await asyncio.wait([working])
    assert working.cancelled()
    file.may_be_read.set()


async def test_the_only_chunk_is_returned(path: Path) -> None:
    os.truncate(path, 4)
    async with FileChunks(4) as windows:
        assert await windows.read(window(str(path), 0)) == CONTENT[:4]
