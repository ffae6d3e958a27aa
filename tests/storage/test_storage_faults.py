"""Failing and full disks, and killed processes: confirmed batches are stored, and the journal works afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.storage.arrivals import UIN, everything
from tests.storage.program import SIZE

from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import log_of

pytestmark = [pytest.mark.verify, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


def run(path: Path, batches: int, *around: str, ballast: Path | None = None) -> list[tuple[str, int]]:
    """Run the storing program under another program, and return its output."""
    command = [*around, sys.executable, "-m", "tests.storage.program", str(path), str(batches)]
    if ballast is not None:
        command.append(str(ballast))
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    lines = (line.split() for line in done.stdout.splitlines())
    return [(line[0], int(line[1])) for line in lines if len(line) == 2]


def breaking(what: str, when: str) -> tuple[str, ...]:
    """Make some system calls fail or kill the process."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not here to break system calls")
    call, _, _ = what.partition(":")
    return (strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={what}:when={when}")


def check(path: Path, said: list[tuple[str, int]]) -> Counter[str]:
    """Compare the output with the journal: all confirmed batches are stored, and no batch that was never attempted."""
    tried = {number for what, number in said if what == "trying"}
    confirmed = {number for what, number in said if what == "stored"}

    async def read() -> list[str]:
        journal = SqliteJournal(path, retention_days=0)
        entries = await everything(journal.account(UIN))
        await journal.close()
        return [entry.message_id for entry in entries]

    ids = asyncio.run(read())
    assert len(ids) == len(set(ids)), "no message is stored twice"
    stored = {(int(each) - 1) // SIZE for each in ids}
    assert len(ids) == SIZE * len(stored), "no batch is stored in part"
    assert confirmed <= stored <= tried
    assert stored == set(range(len(stored))), "no position without its batch"
    given = Counter(number for what, number in said if what == "given")
    assert max(given.values(), default=1) == 1, "delivered twice"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return Counter(what for what, _ in said)


@pytest.mark.parametrize(
    ("what", "places"),
    [
        ("fdatasync:error=EIO", [(first, step) for step in (5, 7, 11) for first in (1, 2, 3)]),
        # SQLite can only repair a file if as many writes in a row succeed as it has pages.
        ("pwrite64:error=EIO", [(first, step) for step in (173, 211, 307) for first in (1, 2, 3)]),
        ("pwrite64:error=ENOSPC", [(first, step) for step in (181, 223, 311) for first in (4, 5, 6)]),
        # An attempt makes two of these calls; if every second one failed, all attempts could fail.
        ("ftruncate:error=EIO", [(1, 3), (2, 3)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failing_system_call_is_an_error_and_loses_nothing(
    tmp_path: Path, what: str, places: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    begun, total = time.perf_counter(), Counter[str]()
    for first, step in places:
        path = tmp_path / f"{first}-{step}" / "me.journal"
        said = run(path, 1) + run(path, 100, *breaking(what, f"{first}+{step}"))
        counts = check(path, said)
        assert counts["end"] == 2, "later batches are stored"
        assert {number for kind, number in said if kind in {"given", "again"}} == set(range(1, 100 * SIZE + 1))
        total += counts
    assert total["error"] > 0 or what.startswith("ftruncate")
    with capsys.disabled():
        print(
            f"\nG-R3 {what}: {len(places)} sweeps, {total['trying']} tried, {total['stored']} confirmed stored, "
            f"{total['error']} errors, 0 lost, 0 half, {time.perf_counter() - begun:.0f} s"
        )


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_kill_at_any_call_of_a_commit_loses_nothing(
    tmp_path: Path, call: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "me.journal"
    begun, kills, said = time.perf_counter(), 0, run(path, 1)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("SELECT * FROM accounts").fetchall()  # The log stays as long as a connection is open.
        said += run(path, 2)
        for number in range(1, 41):
            killed = run(path, 10_000, *breaking(f"{call}:signal=KILL", str(number)))
            kills += ("end", 0) not in killed
            said += killed
            check(path, said)
    last = max((number for what, number in said if what == "trying"), default=0)
    said += run(path, last + 10)
    counts = check(path, said)

    assert kills == 40
    assert counts["end"] == 3
    with capsys.disabled():
        print(
            f"\nG-R2 kill -9 at {call}: {kills} kills, {counts['stored']} batches confirmed stored, "
            f"{counts['again']} entries again and flagged, 0 lost, 0 unflagged, {time.perf_counter() - begun:.0f} s"
        )


def test_a_kill_while_room_is_made_in_the_log_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "me.journal"
    said = run(path, 1)
    for number in (1_000, 2_000, 3_000, 4_000):
        killed = run(path, 10_000, *breaking("pwrite64:signal=KILL", str(number)))
        assert ("end", 0) not in killed
        assert log_of(path).stat().st_size > number * 1_500, "killed while it was made: two calls write a page"
        said += killed
        check(path, said)  # Closing the journal deletes the log.
    said += run(path, 10)

    assert check(path, said)["end"] == 2


def test_a_full_disk_is_an_error_until_there_is_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, copy = tmp_path / "small", tmp_path / "copy"
    small.mkdir()
    script = (
        'mount -t tmpfs -o size=24m,mode=700 none "$1" && head -c 24064k /dev/zero > "$1/ballast" || exit 77\n'
        'shift; "$@"; cp "$0"/me.journal* "$0"/../copy/'
    )
    copy.mkdir()
    around = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(small), str(small))
    if shutil.which("unshare") is None or subprocess.run([*around[:4], "true"], check=False).returncode != 0:
        pytest.skip("no small disk can be made here")
    said = run(small / "me.journal", 600, *around, ballast=small / "ballast")
    for each in copy.iterdir():
        each.chmod(0o600)
    counts = check(copy / "me.journal", said)

    assert counts["error"] > 0
    assert counts["end"] == 1, "batches are stored once there is space"
    with capsys.disabled():
        print(f"\nG-R3 full disk: {counts['error']} errors, then {counts['stored']} batches stored, 0 lost")
