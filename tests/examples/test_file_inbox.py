"""The inbox saves what comes from the phone, each thing once and over nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.carriers import Counted
from tests.client.conftest import MP3, MP4, PNG
from tests.examples.conftest import Stuck, at_work, dying, load, texts

from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import OpenClient

    from webwx.sandbox.core import Sandbox
    from webwx.sandbox.world import World


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INBOX_FOLDER", str(tmp_path / "in" / "box"))
    return tmp_path / "in" / "box"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_what_the_phone_sends_is_saved_under_a_name_of_its_own(
    open_client: OpenClient, world: World, folder: Path
) -> None:
    async with open_client() as client, at_work(load("file_inbox"), client):
        world.file("me", "filehelper", b"first", "../../report.pdf")
        world.file("me", "filehelper", b"second", "report.pdf")
        world.picture("me", "filehelper", PNG)
        world.voice("me", "filehelper", MP3)
        world.video("me", "filehelper", MP4)
        world.say("me", "filehelper", "a text is no file")
        await until(lambda: len([text for text in texts(world, "me", "filehelper") if text.startswith("Saved ")]) == 5)

    assert contents(folder) == sorted([b"first", b"second", PNG, MP3, MP4])
    assert sorted(name[-4:] for name in names(folder)) == [".mp3", ".mp4", ".pdf", ".pdf", ".png"]
    saved = {text.removeprefix("Saved ") for text in texts(world, "me", "filehelper") if text.startswith("Saved ")}
    assert names(folder) == saved
    assert sum(name.endswith(" report.pdf") for name in saved) == 2


async def test_other_chats_are_saved_from_when_they_are_named(
    open_client: OpenClient, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOX_CHATS", "filehelper, Boss")
    async with open_client() as client, at_work(load("file_inbox"), client):
        world.file("ahua", "me", b"of ahua", "a.txt")
        world.file("lilei", "me", b"of boss", "b.txt")
        await until(lambda: len(texts(world, "me", "lilei")) == 2)
        world.file("me", "filehelper", b"my own", "c.txt")
        await until(lambda: len(texts(world, "me", "filehelper")) == 2)
    assert contents(folder) == [b"my own", b"of boss"]


async def test_what_is_gone_is_said_to_be(open_client: OpenClient, world: World, folder: Path) -> None:
    async with open_client() as client:
        async with at_work(load("file_inbox"), client):
            pass
        world.picture("me", "filehelper", PNG)
        world.recall("me", "filehelper")
        async with at_work(load("file_inbox"), client, attempts=2):
            await until(lambda: texts(world, "me", "filehelper")[-1] == "That could not be saved: it is gone.")
    assert contents(folder) == []


async def test_what_was_saved_before_the_process_died_is_not_saved_again(
    open_client: OpenClient, world: World, sandbox: Sandbox, folder: Path
) -> None:
    example = load("file_inbox")
    stuck = Stuck(Loopback(sandbox), arrives=False)
    async with open_client(transport=stuck) as client:
        async with at_work(example, client):
            pass
        async with dying(example, client):
            world.file("me", "filehelper", b"once", "a.txt")
            await stuck.is_stuck.wait()
    assert contents(folder) == [b"once"]

    again = Counted(Loopback(sandbox))
    async with open_client(transport=again) as client, at_work(example, client):
        world.file("me", "filehelper", b"next", "a.txt")
        await until(lambda: len(contents(folder)) == 2)
    assert contents(folder) == [b"next", b"once"]
    assert again.calls.count("webwxgetmedia") == 1


async def test_an_answer_that_is_refused_saves_nothing_twice(
    open_client: OpenClient, world: World, folder: Path
) -> None:
    async with open_client() as client, at_work(load("file_inbox"), client):
        world.refuse_next("webwxsendmsg", -1)
        world.file("me", "filehelper", b"once", "a.txt")
        await until(lambda: texts(world, "me", "filehelper")[-1].startswith("Saved "))
    assert contents(folder) == [b"once"]
