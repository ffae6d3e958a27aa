"""The inbox saves what comes from the phone, each thing once and over nothing."""

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


def test_what_the_phone_sends_is_saved_under_a_name_of_its_own(
    sandbox: Sandbox, account: PhoneUser, folder: Path
) -> None:
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


def test_other_chats_are_saved_from_when_they_are_named(
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


def test_what_is_gone_is_said_to_be(sandbox: Sandbox, account: PhoneUser, clock: Clock, folder: Path) -> None:
    bot = load("file_inbox").bot
    with sandbox.running(bot):
        pass
    account.recall(account.picture())
    with sandbox.running(bot):
        clock.wind(minutes=1)  # for as many attempts as it makes
        assert account.hears("That could not be saved: it is gone.")
    assert contents(folder) == []


def test_what_was_saved_before_the_process_died_is_not_saved_again(
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
        clock.wind(minutes=1)  # nobody knows whether the first answer was sent, so its event is given up
        assert account.hears(SAVED)
        assert running.calls.count("webwxgetmedia") == 1
    assert contents(folder) == [b"next", b"once"]


def test_an_answer_that_is_refused_saves_nothing_twice(
    sandbox: Sandbox, account: PhoneUser, clock: Clock, faults: Faults, folder: Path
) -> None:
    faults.on("ret", endpoint="webwxsendmsg", ret=-1, times=1)
    with sandbox.running(load("file_inbox").bot):
        account.file(b"once")
        clock.wind(5)
        assert account.hears(SAVED)
    assert contents(folder) == [b"once"]
