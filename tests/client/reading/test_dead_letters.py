"""Dead letters as events: listed and revived while other readers run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import SERVER
from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.blocking import Client
from webwx.client.reading.dead_letters import DeadLetter
from webwx.errors import NoJournal
from webwx.model.messages import TextMessage
from webwx.storage.consumer import LOOK_EVERY
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


async def give_up(client: AsyncClient, world: World, *said: str) -> list[int]:
    """Send texts and make them dead letters of the consumer `bot`; return their numbers by text."""
    for text in said:
        world.say("ahua", "me", text)
    numbers: list[int] = []
    async with client.subscribe("bot", follow=False) as feed:
        while given := await feed.take():
            for each in given:
                entry, event = each.entry, each.event
                if isinstance(event, TextMessage) and event.text in said:
                    await feed.failed(entry.number, "ValueError at bot.py:3")
                    await feed.give_up(entry.number, "ValueError at bot.py:3")
                    numbers.append(entry.number)
                else:
                    feed.ack(entry.number)
    return numbers


async def test_dead_letters_are_listed_as_events_newest_first(log_in: LogIn, world: World) -> None:
    client = await log_in()
    first, second = await give_up(client, world, "one", "two")

    letters = await client.list_dead_letters()
    assert [(each.event.number, each.attempts, each.consumer) for each in letters] == [
        (second, 1, "bot"),
        (first, 1, "bot"),
    ]
    assert isinstance(letters[1].event, TextMessage)
    assert letters[1].event.text == "one"
    assert letters[0].error == "ValueError at bot.py:3"
    assert await client.list_dead_letters(limit=1) == letters[:1]
    assert await client.list_dead_letters(before=second) == letters[1:]
    assert await client.list_dead_letters(consumer="archive") == []


def test_a_waiting_reader_gets_a_revived_one_at_once(log_in: LogIn, world: World) -> None:
    async def work() -> None:
        client = await log_in()
        (number,) = await give_up(client, world, "one")
        async with client.subscribe("bot") as feed:
            begun = asyncio.get_running_loop().time()
            waiting = asyncio.ensure_future(feed.take())
            await asyncio.sleep(0.05)
            assert await client.revive(number)
            (given,) = await waiting
            assert (given.entry.number, given.entry.attempt) == (number, 2)
            assert asyncio.get_running_loop().time() - begun < LOOK_EVERY  # It did not have to poll.
            feed.ack(number)
        assert await client.list_dead_letters() == []
        assert not await client.revive(number)

    run_with_virtual_clock(work)


async def test_a_waiting_reader_gets_one_that_another_client_revives(
    log_in: LogIn, new_client: NewClient, world: World, tmp_path: Path
) -> None:
    client = await log_in()
    (number,) = await give_up(client, world, "one")
    elsewhere = SqliteJournal(tmp_path / "kept.journal")
    async with client.subscribe("bot") as feed:
        waiting = asyncio.ensure_future(feed.take())
        await asyncio.sleep(0.05)
        async with new_client(journal=elsewhere) as other:  # No account is logged in there.
            assert [each.event.number for each in await other.list_dead_letters()] == [number]
            assert await other.revive(number)
        async with asyncio.timeout(20):
            (given,) = await waiting
        assert given.entry.number == number
    await elsewhere.close()


async def test_without_a_journal_dead_letters_are_an_error(log_in: LogIn) -> None:
    client = await log_in(journal=None)
    with pytest.raises(NoJournal):
        await client.list_dead_letters()
    with pytest.raises(NoJournal):
        await client.revive(1)


def test_the_blocking_client_has_the_same_methods(log_in: LogIn, world: World, journal: SqliteJournal) -> None:
    async def work() -> list[int]:
        return await give_up(await log_in(), world, "one")

    (number,) = asyncio.run(work())
    with Client(server=SERVER, journal=journal) as client:
        (letter,) = client.list_dead_letters()
        assert isinstance(letter, DeadLetter)
        assert client.revive(letter.event.number)
        assert letter.event.number == number
        assert not client.revive(number)
