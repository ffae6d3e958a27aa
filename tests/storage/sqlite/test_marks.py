"""Marks: memory that survives a process, but not a restart of its machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webwx.storage.locks import take_lock
from webwx.storage.sqlite.marks import SIZE, TOKEN, Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no other system names its boots")

ONE, OTHER = b"1" * TOKEN, b"2" * TOKEN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def handle(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    yield handle
    os.close(handle)


def at(handle: int) -> Marks:
    """Return the marks of a file, which is open under another handle too."""
    return Marks(os.dup(handle), Path(f"/proc/self/fd/{handle}"))


def used(handle: int, *, acked: int = 0) -> Marks:
    """Return marks that are not closed: three entries are delivered, and one of them is acknowledged."""
    marks = at(handle)
    marks.begin(ONE, acked, ())
    for number in (acked + 1, acked + 2, acked + 4):
        marks.add_delivered(number)
    marks.add_done(acked + 2)
    return marks


def test_the_next_process_reads_delivered_and_acknowledged_entries(handle: int) -> None:
    used(handle)
    left = at(handle).read(ONE, acked=0, started=100)
    assert (left.delivered, left.done) == (frozenset({1, 4}), frozenset({2}))
    assert [number for number in range(1, 101) if left.may_be_delivered(number)] == [1, 2, 4]


def test_the_journal_overrides_the_marks(handle: int) -> None:
    used(handle)
    left = at(handle).read(ONE, acked=1, started=3)
    assert (left.delivered, left.done) == (frozenset(), frozenset({2}))
    assert left.may_be_delivered(1), "it may have been revived"
    assert not left.may_be_delivered(3)


@pytest.mark.parametrize("how", ["another opening", "an older state of the journal", "another boot", "no journal"])
def test_marks_of_another_consumer_or_machine_are_ignored(handle: int, path: Path, how: str) -> None:
    used(handle, acked=10)
    token, acked = ONE, 10
    match how:
        case "another opening":
            token = OTHER
        case "an older state of the journal":
            acked = 9
        case "no journal":
            token = b""
        case "another boot":
            content = path.read_bytes()
            boot = content.index(b"-") - 8
            path.write_bytes(content[:boot] + b"0" * 8 + content[boot + 8 :])
    left = at(handle).read(token, acked=acked, started=20)
    assert left.done == set()
    assert all(left.may_be_delivered(number) for number in range(1, 21))


def test_entries_beyond_the_space_count_as_delivered(handle: int) -> None:
    marks = used(handle, acked=7)
    for number in (7 + SIZE, 8 + SIZE):
        marks.add_delivered(number)
    left = at(handle).read(ONE, acked=7, started=2 * SIZE)
    assert left.delivered == {8, 11, 7 + SIZE}
    assert [left.may_be_delivered(number) for number in (10, 6 + SIZE, 7 + SIZE, 8 + SIZE)] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("steps", [(1, 2), (SIZE - 1, SIZE, SIZE + 1), (SIZE // 2, 2 * SIZE), (3 * SIZE,)])
def test_an_entry_without_space_counts_as_delivered_when_space_is_free_again(
    handle: int, steps: tuple[int, ...]
) -> None:
    marks = at(handle)
    marks.begin(ONE, 0, ())
    delivered = range(SIZE - 2, 4 * SIZE - 5)
    for number in delivered:
        marks.add_delivered(number)
    for acked in steps:
        marks.advance(acked)
        left = at(handle).read(ONE, acked=acked, started=5 * SIZE)
        assert left.delivered == {number for number in range(acked + 1, acked + SIZE + 1) if number in delivered}


def test_an_entry_without_space_has_a_mark_after_a_later_opening(handle: int) -> None:
    marks = at(handle)
    marks.begin(ONE, 0, range(1, SIZE + 10))
    marks.advance(5)
    left = at(handle).read(ONE, acked=5, started=2 * SIZE)
    assert left.delivered == set(range(6, SIZE + 6))


@pytest.mark.parametrize("step", [1, 1_000, SIZE - 1, SIZE, 3 * SIZE])
def test_space_is_reused(handle: int, step: int) -> None:
    marks, acked = at(handle), 0
    marks.begin(ONE, acked, ())
    delivered, done = set[int](), set[int]()
    for _ in range(5):
        for number in {acked + 1, acked + 2, acked + 3, acked + SIZE} - done:
            marks.add_delivered(number)
            delivered.add(number)
        for number in (acked + 1, acked + 3):
            marks.add_done(number)
            done.add(number)
        acked += step
        marks.advance(acked)
        left = at(handle).read(ONE, acked=acked, started=acked + SIZE)
        assert left.delivered == {number for number in delivered - done if number > acked}
        assert left.done == {number for number in done if number > acked}


def test_unacknowledged_entries_are_copied_into_the_next_opening(handle: int) -> None:
    used(handle)
    marks = at(handle)
    left = marks.read(ONE, acked=0, started=4)
    marks.begin(OTHER, 0, left.delivered)
    assert at(handle).read(ONE, acked=0, started=4).done == set(), "a mark of another opening"
    assert at(handle).read(OTHER, acked=0, started=4).delivered == {1, 4}


def test_without_a_file_marks_last_as_long_as_the_process(path: Path, handle: int) -> None:
    full = os.open(path, os.O_RDONLY)
    marks = used(full)
    assert marks.read(ONE, acked=0, started=4).done == {2}
    assert path.read_bytes() == b""
    assert at(full).read(ONE, acked=0, started=4).done == set()
    os.close(full)


def test_a_mark_after_closing_has_no_effect(handle: int) -> None:
    marks = used(handle)
    marks.close()
    marks.close()
    marks.add_delivered(3)
    marks.advance(3)
    assert at(handle).read(ONE, acked=0, started=4).delivered == {1, 4}


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("number", [1, 2, 3, 100])
def test_marks_with_a_flipped_bit_are_ignored(handle: int, path: Path, number: int, bit: int) -> None:
    used(handle)
    content = bytearray(path.read_bytes())
    content[len(content) - SIZE + number] ^= 1 << bit
    path.write_bytes(content)
    left = at(handle).read(ONE, acked=0, started=100)
    assert left.done == set()
    assert all(left.may_be_delivered(each) for each in range(1, 101))


@pytest.mark.parametrize("bit", range(64))
def test_a_flipped_bit_in_the_number_before_the_marks_is_noticed(handle: int, path: Path, bit: int) -> None:
    used(handle, acked=7)
    content = bytearray(path.read_bytes())
    place = content.index((7).to_bytes(5, "little"))
    content[place + bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert at(handle).read(ONE, acked=1_000_000, started=1_000_020).done == set()
    assert at(handle).read(ONE, acked=7, started=20).done == set()


def test_marks_that_were_overwritten_are_ignored(handle: int, path: Path) -> None:
    used(handle)
    content = path.read_bytes()
    path.write_bytes(content[:-SIZE] + bytes(SIZE))
    assert at(handle).read(ONE, acked=0, started=4).may_be_delivered(3)


def test_marks_keep_one_file_open_with_its_lock(path: Path) -> None:
    lock = take_lock(path)
    assert lock is not None
    marks = Marks(lock, path)
    assert sum(each.exists() and each.samefile(path) for each in Path("/proc/self/fd").iterdir()) == 1
    assert take_lock(path) is None
    marks.close()
    again = take_lock(path)
    assert again is not None
    os.close(again)
