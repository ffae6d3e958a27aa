"""The target of a download: size limits, and the length, first bytes and digest."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from webwx.errors import LocalStateError
from webwx.transport.download_sink import START, DownloadSink, Overflow


def test_a_sink_has_the_size_the_first_bytes_and_the_digest_of_the_file() -> None:
    file = io.BytesIO()
    sink = DownloadSink(file, 10_000)
    for piece in (b"a" * 500, b"b" * 500, b"c"):
        sink.write(piece)

    assert file.getvalue() == b"a" * 500 + b"b" * 500 + b"c"
    assert (sink.size, sink.start) == (1001, file.getvalue()[:START])
    assert sink.md5 == hashlib.md5(file.getvalue()).hexdigest()


def test_a_sink_accepts_bytes_up_to_its_limit() -> None:
    file = io.BytesIO()
    sink = DownloadSink(file, 5)
    sink.write(b"12345")

    with pytest.raises(Overflow, match="larger than 5 bytes"):
        sink.write(b"6")
    assert file.getvalue() == b"12345"


def test_a_sink_reports_its_progress() -> None:
    reported: list[int] = []
    sink = DownloadSink(io.BytesIO(), 100, reported.append)
    for _ in range(3):
        sink.write(b"ab")

    assert reported == [2, 4, 6]


def test_a_full_disk_is_a_storage_error_and_not_a_connection_error() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = DownloadSink(full, 100)
        with pytest.raises(LocalStateError, match="cannot be stored: No space left"):
            sink.write(b"x")
