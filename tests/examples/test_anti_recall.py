"""The bot sends recalled messages to the owner's phone, also after a restart."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import MP4, PNG
from tests.examples.conftest import load, until
from tests.postgres import new_schema

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import Start

    from webwx.testing import Clock, PhoneUser, Sandbox


@pytest.mark.parametrize(("to", "where"), [("me", "阿华"), ("周末爬山", "周末爬山")])
@pytest.mark.parametrize("content", ["full", "keyless", "hash"])
def test_a_recalled_text_and_picture_are_restored_after_a_restart(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, to: str, where: str, content: str
) -> None:
    sandbox.switch(picture_content=content)
    bot = load("anti_recall").bot
    with sandbox.running(bot):
        text, picture = friend.say("没什么", to=to), friend.picture(PNG, to=to)
        sandbox.settle()  # The picture is archived by then.
    friend.recall(text)
    friend.recall(picture)
    with sandbox.running(bot):
        assert account.hears(re.compile(rf'^\[{where}, .*\] "阿华" 撤回了一条消息\n没什么$'))
        assert account.hears(re.compile(r'\] "阿华" 撤回了一条消息$'))
        assert account.hears(kind="image").content == PNG


def test_a_recalled_video_is_restored(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with sandbox.running(load("anti_recall").bot):
        video = friend.video(MP4)
        sandbox.settle()
        friend.recall(video)
        assert account.hears(kind="video").content == MP4


def test_a_recall_without_its_message_or_file_is_reported(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, clock: Clock
) -> None:
    sandbox.switch(picture_content="hash")
    unseen = friend.say("before you logged in")
    bot = load("anti_recall").bot
    bot.keep = None
    with sandbox.running(bot):
        pass
    friend.recall(unseen)
    friend.recall(friend.picture())
    with sandbox.running(bot):
        assert account.hears(re.compile(r"\n\(It never arrived here\.\)$"))
        clock.wind(minutes=1)  # The number of its attempts.
        assert account.hears("(ImageMessage: it is gone.)")


def test_an_own_recall_is_not_restored(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with sandbox.running(load("anti_recall").bot):
        for chat in (friend, "filehelper"):
            account.recall(account.say("oops", to=chat))
        friend.recall(friend.say("theirs"))
        assert account.hears(re.compile("theirs"))
        assert account.hears_nothing()


class Folder:
    """The default storage."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.settings: dict[str, str] = {}

    def has_picture(self) -> bool:
        """Return whether the bot's journal has a picture; this is stored after the file has its name."""
        [journal] = self._home.glob("logins/*.journal")
        with closing(sqlite3.connect(journal)) as db:
            return db.execute("SELECT 1 FROM media WHERE state = 'kept'").fetchone() is not None


class Database:
    """A database in place of the folder."""

    def __init__(self) -> None:
        self._schema = new_schema()
        self.settings = {"WEBWX_STORAGE": self._schema.url, "WEBWX_PASSPHRASE": "three words long"}

    def has_picture(self) -> bool:
        """Return whether the bot's journal has a picture."""
        return bool(self._schema.execute("SELECT 1 FROM media WHERE state = 'kept'").strip())


@pytest.fixture(params=["folder", pytest.param("database", marks=pytest.mark.verify)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Folder | Database:
    return Folder(tmp_path / "home") if request.param == "folder" else Database()


def test_a_recalled_message_is_restored_after_a_kill(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser, start: Start, storage: Folder | Database
) -> None:
    sandbox.switch(picture_content="hash")
    with start("anti_recall", **storage.settings) as process:
        text, picture = friend.say("没什么", to="周末爬山"), friend.picture(PNG, to="周末爬山")
        until(storage.has_picture)
        process.kill()
    friend.recall(text)
    friend.recall(picture)
    with start("anti_recall", **storage.settings):
        assert account.hears(re.compile("\n没什么$"))
        assert account.hears(kind="image").content == PNG
