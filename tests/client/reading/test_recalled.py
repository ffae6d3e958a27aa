"""Recalls of messages of any age, from any login and by any person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import GIF, MP3, MP4, PNG, last, last_file, take, texts
from tests.digests import md5

from webwx.errors import NoJournal, UnknownContact
from webwx.model.messages import ImageMessage, MessageRecalled
from webwx.sandbox import contents
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory

if TYPE_CHECKING:
    from tests.client.conftest import LogIn

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal


async def drain(client: AsyncClient) -> None:
    async for _ in client.events(follow=False):
        pass


async def test_recalls_are_listed_newest_first_with_their_messages(
    log_in: LogIn, world: World, journal: SqliteJournal
) -> None:
    client = await log_in(journal=journal)
    for text in ("one", "two", "three"):
        world.recall("ahua", "me", world.say("ahua", "me", text).id)
    world.recall("lilei", "周末爬山", world.say("lilei", "周末爬山", "in the room").id)
    world.say("ahua", "me", "not recalled")
    await drain(client)

    found = await client.list_recalled()
    assert texts(each.notice.original for each in found) == ["in the room", "three", "two", "one"]
    assert {each.way for each in found} == {"by_content"}
    assert texts(each.notice.original for each in await client.list_recalled("阿华", limit=2)) == ["three", "two"]
    assert await client.list_recalled(limit=2, before=found[0].notice.number) == found[1:3]
    assert await client.list_recalled(before=found[-1].notice.number) == []
    with pytest.raises(UnknownContact):
        await client.list_recalled("unknown")


async def test_recalls_need_a_journal(log_in: LogIn) -> None:
    with pytest.raises(NoJournal):
        await (await log_in()).list_recalled()


async def test_a_recall_in_a_chatroom_is_found_after_thousands_of_messages_and_two_logins(
    log_in: LogIn, world: World, journal: SqliteJournal
) -> None:
    world.options = Options(batch_size=500)
    store = LoginMemory()
    client = await log_in(journal=journal, store=store)
    world.picture("lilei", "周末爬山", PNG)
    slip = last(world, "me", "hiking")
    for number in range(3_000):
        world.say("ahua", "周末爬山", f"message {number}")
    await drain(client)
    world.recall("lilei", "周末爬山", slip.id)
    await drain(client)
    await client.logout()
    for _ in range(2):
        again = await log_in(journal=journal)
        await drain(again)

    [recalled] = await again.list_recalled("周末爬山")
    notice = recalled.notice
    assert isinstance(notice.original, ImageMessage)
    assert (notice.message_id, notice.original.message_id) == (slip.id, slip.id)
    assert notice.chat == notice.original.chat
    assert notice.original.sender not in {None, notice.chat}
    assert "李雷" in notice.text or "Boss" in notice.text
    receipt = await again.forward(notice, "filehelper")
    assert receipt.way == "by_content"
    assert last_file(world, "me", "filehelper").md5 == md5(PNG)


async def test_the_event_of_a_recall_has_an_old_original(log_in: LogIn, world: World, journal: SqliteJournal) -> None:
    world.options = Options(batch_size=500)
    client = await log_in(journal=journal)
    slip = world.say("ahua", "me", "a slip")
    for number in range(2_000):
        world.say("lilei", "me", f"message {number}")
    world.recall("ahua", "me", slip.id)
    events = [event async for event in client.events(include_all=False, follow=False)]

    assert isinstance(events[-1], MessageRecalled)
    assert events[-1].original == events[0]


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("picture", "by_content"),
        ("keyless picture", "none"),
        ("video", "by_content"),
        ("sticker", "by_content"),
        ("file", "by_content"),
        ("place", "by_content"),
        ("voice", "none"),
        ("card", "none"),
    ],
)
async def test_each_recall_shows_whether_its_message_can_be_forwarded(
    kind: str, way: str, log_in: LogIn, world: World, journal: SqliteJournal
) -> None:
    client = await log_in(journal=journal)
    match kind:
        case "keyless picture":
            world.options = Options(picture_content="hash")
            sent = world.picture("ahua", "me", PNG)
        case "picture":
            sent = world.picture("ahua", "me", PNG)
        case "video":
            sent = world.video("ahua", "me", MP4)
        case "sticker":
            sent = world.sticker("ahua", "me", GIF)
        case "file":
            sent = world.file("ahua", "me", PNG, "a.bin")
        case "place":
            sent = world.send("ahua", "me", contents.location(22.5, 113.25, "深圳市示例路", "[某店]"))
        case "voice":
            sent = world.voice("ahua", "me", MP3)
        case _:
            sent = world.send("ahua", "me", contents.card(world.person("lilei")))
    world.recall("ahua", "me", sent.id)
    await take(client, 2)

    [recalled] = await client.list_recalled()
    assert recalled.way == way


async def test_any_number_of_other_notices_is_skipped(log_in: LogIn, world: World, journal: SqliteJournal) -> None:
    client = await log_in(journal=journal)
    world.recall("ahua", "me", world.say("ahua", "me", "a slip").id)
    for number in range(450):
        world.notify("me", "ahua", contents.system(f"line {number}"))
    await drain(client)

    [recalled] = await client.list_recalled()
    assert texts([recalled.notice.original]) == ["a slip"]
