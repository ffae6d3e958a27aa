"""A stream of events: a request for the next event acknowledges the one before; leaving the loop does not."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from webwx.errors import LoggedOut
from webwx.model.messages import Event, TextMessage
from webwx.storage.login import LoginMemory

if TYPE_CHECKING:
    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


def text(event: Event) -> str:
    assert isinstance(event, TextMessage)
    return event.text


def say(world: World, *said: str) -> None:
    for each in said:
        world.say("ahua", "me", each)


async def first(client: AsyncClient, *, ack: bool = False) -> Event:
    """Read one event, and leave the loop."""
    async with client.events(include_all=False) as events:
        event = await anext(events)
        if ack:
            await events.ack()
    return event


@pytest.mark.parametrize("has_journal", [True, False])
async def test_a_text_has_all_its_delivered_fields(log_in: LogIn, world: World, *, has_journal: bool) -> None:
    client = await (log_in() if has_journal else log_in(journal=None))
    say(world, "1", "2")
    event = await first(client)

    assert isinstance(event, TextMessage)
    assert (event.text, event.raw["Content"], event.raw["ImgStatus"], event.raw["AppInfo"]["AppID"]) == (
        "1",
        "1",
        1,
        "",
    )


async def test_an_unacknowledged_event_is_redelivered_and_marked(log_in: LogIn, world: World) -> None:
    client = await log_in()
    say(world, "1", "2")
    one = await first(client)
    again = await first(client, ack=True)
    two = await first(client)

    assert (text(one), text(again), text(two)) == ("1", "1", "2")
    assert (one.redelivered, again.redelivered, two.redelivered) == (False, True, False)
    assert 0 < one.number == again.number < two.number


async def test_a_new_stream_ends_the_previous_one(log_in: LogIn, new_client: NewClient, world: World) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    say(world, "1", "2", "3")
    async with client.events(include_all=False) as events:
        got = [text(await anext(events)), text(await anext(events))]
    await client.close()
    following = new_client(store=store)
    await following.resume()
    async with following.events(include_all=False) as events:
        got += [text(await anext(events)), text(await anext(events))]

    assert got == ["1", "2", "2", "3"]


@pytest.mark.parametrize("way", ["with", "aclosing", "break"])
async def test_another_stream_continues_after_any_end_of_the_loop(log_in: LogIn, world: World, way: str) -> None:
    client = await log_in()
    got: list[str] = []

    async def read() -> None:
        stream = client.events(include_all=False)
        if way == "with":
            async with stream as events:
                got.append(text(await anext(events)))
                await events.ack()
        elif way == "aclosing":
            async with aclosing(stream) as events:
                async for event in events:
                    got.append(text(event))
                    await events.ack()
                    break
        else:
            async for event in stream:
                got.append(text(event))
                await stream.ack()
                break

    say(world, "1", "2", "3")
    for _ in range(3):
        await read()
        gc.collect()

    assert got == ["1", "2", "3"]


async def test_an_ack_before_the_first_event_does_nothing(log_in: LogIn, world: World) -> None:
    client = await log_in()
    say(world, "1")
    stream = client.events(include_all=False)
    await stream.ack()

    assert text(await anext(stream)) == "1"
    await stream.aclose()


async def test_skipped_events_are_acknowledged(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.befriend("xiaoming", "ahua", remark="花")
    say(world, "1")
    await first(client, ack=True)
    async with client.events(follow=False) as events:
        assert [event async for event in events] == []


async def test_without_follow_ends_when_no_event_waits(log_in: LogIn, world: World, counted: object) -> None:
    client = await log_in()
    say(world, "1", "2")
    got = [text(event) async for event in client.events(include_all=False, follow=False)]

    assert got == ["1", "2"]
    assert "synccheck" not in counted.calls  # type: ignore[attr-defined]  # the conftest's


async def test_a_stream_ends_when_the_client_is_closed(log_in: LogIn, world: World) -> None:
    client = await log_in()
    say(world, "1")
    stream = client.events(include_all=False)
    await anext(stream)
    await client.close()

    assert [event async for event in stream] == []


async def test_stored_events_can_be_read_after_the_end_of_the_login(log_in: LogIn, world: World) -> None:
    client = await log_in()
    say(world, "1", "2")
    await first(client, ack=True)
    world.log_out("me")
    with pytest.raises(LoggedOut):
        await client.check()
    stream = client.events(include_all=False)

    assert text(await anext(stream)) == "2"
    with pytest.raises(LoggedOut):
        await anext(stream)


async def test_a_wait_that_is_cancelled_loses_nothing(log_in: LogIn, world: World) -> None:
    client = await log_in()
    await first_quiet(client)
    waiting = asyncio.ensure_future(anext(client.events(include_all=False)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    say(world, "1")

    assert text(await first(client)) == "1"


async def first_quiet(client: AsyncClient) -> None:
    """Read the phone's greeting."""
    async with client.events() as events:
        await anext(events)
        await events.ack()


def test_the_repr_shows_no_event(log_in: LogIn) -> None:
    async def work() -> str:
        return repr((await log_in()).events())

    assert asyncio.run(work()) == "EventStream()"


async def test_an_error_inside_the_block_of_a_stream_is_raised_although_another_task_reads(log_in: LogIn) -> None:
    client = await log_in()
    stream = client.events()
    reading = asyncio.ensure_future(anext(stream))
    with pytest.raises(ValueError, match="the real error"):  # noqa: PT012 - it is raised inside the block
        async with stream:
            await asyncio.sleep(0)
            raise ValueError("the real error")
    reading.cancel()
    await asyncio.wait([reading])
    async with client.events(follow=False, include_all=False) as again:
        assert [each async for each in again] == []
