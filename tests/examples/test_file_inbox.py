"""The inbox saves files from the phone, each once, and overwrites no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import MP3, MP4, PNG
from tests.examples.conftest import load

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.testing import Clock, Faults, PhoneUser, Sandbox

SAVED = re.compile("^Saved ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INBOX_FOLDER", str(tmp_path / "in" / "box"))
    return tmp_path / "in" / "box"


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_files_of_the_phone_are_saved_under_new_names(sandbox: Sandbox, account: PhoneUser, folder: Path) -> None:
    with sandbox.running(load("file_inbox").bot):
        account.file(b"first", "../../report.pdf")
        account.file(b"second", "report.pdf")
        account.picture(PNG)
        account.voice(MP3)
        account.video(MP4)
        account.say("a text is no file")
        saved = {account.hears(SAVED).text.removeprefix("Saved ") for _ in range(5)}
        assert account.hears_nothing()

    assert sorted([b"first", b"second", PNG, MP3, MP4]) == contents(folder)
    assert {path.name for path in folder.iterdir()} == saved
    assert sorted(name[-4:] for name in saved) == [".mp3", ".mp4", ".pdf", ".pdf", ".png"]
    assert sum(name.endswith(" report.pdf") for name in saved) == 2


def test_files_of_other_named_chats_are_saved(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOX_CHATS", "filehelper, Boss")
    with sandbox.running(load("file_inbox").bot):
        friend.file(b"of ahua", "a.txt")
        boss = sandbox.person("lilei")
        boss.file(b"of boss", "b.txt")
        account.file(b"my own", "c.txt")
        assert boss.hears(SAVED)
        assert account.hears(SAVED)
        assert friend.hears_nothing()
    assert contents(folder) == [b"my own", b"of boss"]


def test_a_missing_file_is_reported(sandbox: Sandbox, account: PhoneUser, clock: Clock, folder: Path) -> None:
    bot = load("file_inbox").bot
    with sandbox.running(bot):
        pass
    account.recall(account.picture())
    with sandbox.running(bot):
        clock.wind(minutes=1)  # The number of its attempts.
        assert account.hears("That could not be saved: it is gone.")
    assert contents(folder) == []


def test_a_file_that_was_saved_before_a_crash_is_not_saved_again(
    sandbox: Sandbox, account: PhoneUser, clock: Clock, faults: Faults, folder: Path
) -> None:
    bot = load("file_inbox").bot
    with sandbox.running(bot) as running:
        stuck = faults.on("blackhole", endpoint="webwxsendmsg", times=1)
        account.file(b"once", "a.txt")
        assert sandbox.wait(lambda: stuck.hits or None)
        running.kill()
    assert contents(folder) == [b"once"]

    with sandbox.running(bot) as running:
        account.file(b"next", "a.txt")
        clock.wind(minutes=1)  # The outcome of the first answer is unknown, so its event is given up.
        assert account.hears(SAVED)
        assert running.calls.count("webwxgetmedia") == 1
    assert contents(folder) == [b"next", b"once"]


def test_a_file_is_saved_once_although_the_answer_is_refused(
    sandbox: Sandbox, account: PhoneUser, clock: Clock, faults: Faults, folder: Path
) -> None:
    faults.on("ret", endpoint="webwxsendmsg", ret=-1, times=1)
    with sandbox.running(load("file_inbox").bot):
        account.file(b"once")
        clock.wind(5)
        assert account.hears(SAVED)
    assert contents(folder) == [b"once"]
