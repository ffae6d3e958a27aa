"""E13: what others take back is on one's own phone, however the bot was restarted in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.client.conftest import MP4, PNG, md5
from tests.examples.conftest import at_work, chat, load, texts, until_told

from webwx.sandbox.switches import Switches

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import OpenClient, Platform, Start

    from webwx.sandbox.world import World


def kept(tmp_path: Path) -> int:
    return len(list((tmp_path / "me.journal.kept").glob("[!.]*")))  # others are on their way


@pytest.mark.parametrize("to", ["me", "周末爬山"])
@pytest.mark.parametrize("content", ["full", "keyless", "hash"])
async def test_e13_a_text_and_a_picture_come_back_after_a_restart(
    open_client: OpenClient, world: World, tmp_path: Path, to: str, content: str
) -> None:
    world.switches = Switches(hold_seconds=0.01, picture_content=content)
    example = load("anti_recall")
    async with open_client(keep=example.KEEP) as client, at_work(example, client):
        text = world.say("ahua", to, "没什么")
        picture = world.picture("ahua", to, PNG)
        await until(lambda: kept(tmp_path) == 1)
    world.recall("ahua", to, text.id)
    world.recall("ahua", to, picture.id)
    async with open_client(keep=example.KEEP) as client, at_work(example, client):
        await until(lambda: len(chat(world, "me", "filehelper")) == 3)

    first, second, third = chat(world, "me", "filehelper")
    where = "阿华" if to == "me" else "周末爬山"
    assert first.text.startswith(f"[{where}, ")
    assert first.text.endswith('] "阿华" 撤回了一条消息\n没什么')
    assert second.text.endswith('] "阿华" 撤回了一条消息')
    assert third.medium is not None
    assert md5(PNG) == third.medium.md5


async def test_a_video_comes_back_as_well(open_client: OpenClient, world: World, tmp_path: Path) -> None:
    example = load("anti_recall")
    async with open_client(keep=example.KEEP) as client, at_work(example, client):
        world.video("ahua", "me", MP4)
        await until(lambda: kept(tmp_path) == 1)
        world.recall("ahua", "me")
        await until(lambda: len(chat(world, "me", "filehelper")) == 2)
    medium = chat(world, "me", "filehelper")[1].medium
    assert medium is not None
    assert md5(MP4) == medium.md5


async def test_what_never_arrived_or_is_gone_is_told_all_the_same(open_client: OpenClient, world: World) -> None:
    world.switches = Switches(hold_seconds=0.01, picture_content="hash")
    unseen = world.say("ahua", "me", "before you logged in")
    example = load("anti_recall")
    async with open_client() as client:  # and nothing is kept
        async with at_work(example, client):
            pass
        world.recall("ahua", "me", unseen.id)
        world.picture("lilei", "me", PNG)
        world.recall("lilei", "me")
        async with at_work(example, client, attempts=2):
            await until(lambda: len(chat(world, "me", "filehelper")) == 3)
    said = texts(world, "me", "filehelper")
    assert sum(each.endswith("\n(It never arrived here.)") for each in said) == 1
    assert said[-1] == "(ImageMessage: it is gone.)"


async def test_what_one_takes_back_oneself_stays_taken_back(open_client: OpenClient, world: World) -> None:
    async with open_client() as client, at_work(load("anti_recall"), client):
        world.say("me", "ahua", "oops")
        world.recall("me", "ahua")
        world.say("me", "filehelper", "oops")
        world.recall("me", "filehelper")
        world.say("ahua", "me", "theirs")
        world.recall("ahua", "me")
        await until(lambda: any("theirs" in text for text in texts(world, "me", "filehelper")))
    assert len(chat(world, "me", "filehelper")) == 2


def is_kept(home: Path) -> bool:
    """Say whether the bot's journal has a picture, which is later than the file has its name."""
    [journal] = home.glob("logins/*.journal")
    with closing(sqlite3.connect(journal)) as db:
        return db.execute("SELECT 1 FROM kept WHERE state = 'kept'").fetchone() is not None


@pytest.mark.parametrize("switches", [["--switch", "picture_content=hash"]], ids=["pictures without keys"])
def test_e13_it_comes_back_though_the_process_was_killed_in_between(
    platform: Platform, start: Start, tmp_path: Path
) -> None:
    ahua = {"from": "ahua", "to": "周末爬山"}
    with start("anti_recall") as process:
        until_told(lambda: "anti-recall runs as 小明" in process.said)
        text = platform.do("say", **ahua, text="没什么")["message_id"]
        picture = platform.do("picture", **ahua, name="a.png", content=PNG)["message_id"]
        until_told(lambda: is_kept(tmp_path / "home"))
        process.kill()
    platform.do("recall", **ahua, message_id=text)
    platform.do("recall", **ahua, message_id=picture)
    with start("anti_recall"):
        until_told(lambda: len(platform.chat("me", "filehelper")) == 3)

    first, _, third = platform.chat("me", "filehelper")
    assert first["text"].endswith("\n没什么")
    assert (third["kind"], third["md5"]) == ("image", md5(PNG))
