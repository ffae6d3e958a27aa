"""A file that is opened in a thread is never left open."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path, PosixPath
from typing import Any, BinaryIO

import pytest

from webwx.storage.file_opening import open_file


class SlowPath(PosixPath):
    """A path on a disk that answers late."""

    begun = threading.Event()
    answers = threading.Event()
    opened: list[BinaryIO] = []  # noqa: RUF012 - of one test

    def open(self, *args: Any, **kwargs: Any) -> Any:
        self.begun.set()
        self.answers.wait()
        self.opened.append(Path(self).open("rb"))  # noqa: SIM115 - `open_file` closes it
        return self.opened[-1]


async def test_a_cancelled_call_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "slow").write_bytes(b"content")
    opening = asyncio.ensure_future(open_file(SlowPath(tmp_path / "slow"), "rb"))
    await asyncio.to_thread(SlowPath.begun.wait)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    SlowPath.answers.set()
    while not (SlowPath.opened and SlowPath.opened[0].closed):  # noqa: ASYNC110 - the thread sets no event
        await asyncio.sleep(0.001)


async def test_an_opened_file_is_returned_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"content")
    with await open_file(tmp_path / "there", "rb") as file:
        assert file.read() == b"content"
    with pytest.raises(FileNotFoundError):
        await open_file(tmp_path / "missing", "rb")
