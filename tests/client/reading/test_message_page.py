"""Pages of the history: each message and each send is on exactly one page, in every engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import take
from tests.storage_contract.engines import ENGINES, make

from webwx.errors import InvalidCursor
from webwx.model.messages import Event, Receipt
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.client.conftest import LogIn

    from webwx.client.client import AsyncClient
    from webwx.model.contacts import ContactId
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.tables.outbox import Outbox

SENDS = 1000


@pytest.fixture(params=ENGINES)
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    journal = make(request.param, tmp_path).open()
    yield journal
    await journal.close()


async def store_sends(
    outbox: Outbox, chat: ContactId, times: list[float], message_id: Callable[[int], str], text: str = "alert"
) -> None:
    """Store sends that the platform has confirmed."""

    async def store(number: int, time: float) -> None:
        row = await outbox.add(
            client_id=f"{text}{number}", chat=chat, kind="text", text=f"{text} {number}", key="", time=time
        )
        receipt = Receipt(message_id=message_id(number), client_id=row.client_id, chat=chat, time=time)
        await outbox.sending(row.number, time, chat)
        await outbox.settle(row.number, "sent", time=time, receipt=receipt)

    await asyncio.gather(*(store(number, time) for number, time in enumerate(times)))


async def all_pages(client: AsyncClient, limit: int, *, words: str = "") -> list[Event | Outgoing]:
    """Return the entries of all pages, the newest first; each page is read from an entry's place as well."""
    found: list[Event | Outgoing] = []
    page = await client.history_page("阿华", words=words, limit=limit)
    while True:
        assert 0 < len(page.entries) <= limit
        found += [each.entry for each in page.entries]
        if page.before is None:
            return found
        assert page.before == page.entries[-1].before
        page = await client.history_page("阿华", words=words, limit=limit, before=page.before)


def key_of(entry: Event | Outgoing) -> tuple[bool, int]:
    return isinstance(entry, Outgoing), entry.number


async def test_each_message_and_send_is_on_one_page(log_in: LogIn, world: World, journal: Journal) -> None:
    client = await log_in(journal=journal)
    chat = (await client.find_contact("阿华")).id
    outbox = journal.account(client.account.uin).outbox
    start = world.clock.now()
    for number in range(40):  # several in the same second, some of the account's phone
        world.say("ahua", "me", f"question {number}")
        world.say("me", "ahua", f"answer {number}")
        if number % 4 == 0:
            world.wind(1)
    events = await take(client, 80)
    mine = [event for event in events if getattr(event, "is_self", False)]
    came_back = {number: event.message_id for number, event in zip(range(0, SENDS, 50), mine, strict=False)}  # type: ignore[attr-defined]  # these are messages
    times = [start + number // 10 * 0.25 for number in range(SENDS)]
    await store_sends(outbox, chat, times, lambda number: came_back.get(number, f"sent-{number}"))

    for limit in (7, 50, 1000):
        found = await all_pages(client, limit)
        assert len(found) == len({key_of(each) for each in found}) == 80 + SENDS - len(came_back)
        for is_send in (True, False):
            numbers = [each.number for each in found if isinstance(each, Outgoing) is is_send]
            assert numbers == sorted(numbers, reverse=True)
    assert [*map(key_of, await client.history("阿华", limit=2000))] == [*map(key_of, reversed(found))]
    hits = await all_pages(client, 50, words="alert")
    assert [*map(key_of, hits)] == [key_of(each) for each in found if isinstance(each, Outgoing)]
    assert len(await client.search("alert", limit=2000)) == len(hits)


async def test_what_is_stored_between_two_pages_is_on_no_later_page(
    log_in: LogIn, world: World, journal: Journal
) -> None:
    client = await log_in(journal=journal)
    chat = (await client.find_contact("阿华")).id
    outbox = journal.account(client.account.uin).outbox
    world.say("ahua", "me", "one")
    await take(client, 1)
    await store_sends(outbox, chat, [world.clock.now()] * 3, str)
    first = await client.history_page("阿华", limit=2)
    assert first.before is not None
    await store_sends(outbox, chat, [world.clock.now()], str, "late")
    world.say("ahua", "me", "two")
    await take(client, 1)
    rest = await client.history_page("阿华", limit=10, before=first.before)
    texts = [getattr(each.entry, "text", "") for page in (first, rest) for each in page.entries]
    # The three were stored at the same time, so any of them may be the first one.
    assert (sorted(texts[:-1]), texts[-1]) == (["alert 0", "alert 1", "alert 2"], "one")
    assert rest.before is None


async def test_a_page_can_begin_before_an_event(log_in: LogIn, world: World, journal: Journal) -> None:
    client = await log_in(journal=journal)
    for number in range(3):
        world.say("ahua", "me", f"{number}")
        world.wind(10)
        await client.send_text("阿华", f"reply {number}")
        world.wind(10)
    last = (await take(client, 3))[-1]
    page = await client.history_page("阿华", before=f"{last.number}")
    assert [getattr(each.entry, "text", "") for each in page.entries] == ["reply 1", "1", "reply 0", "0"]


@pytest.mark.parametrize("before", ["x", "1-", "1-2-3", "9" * 30, "-1", "1-x"])
async def test_a_place_that_no_page_has_returned_is_refused(log_in: LogIn, before: str, tmp_path: Path) -> None:
    client = await log_in(journal=make(ENGINES[0], tmp_path).open())
    with pytest.raises(InvalidCursor):
        await client.history_page(before=before)
