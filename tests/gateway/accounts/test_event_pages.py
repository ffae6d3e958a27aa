"""Pages of events whose cursor may come from another process."""

from __future__ import annotations

import asyncio

import pytest

from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.event_pages import EventPages
from webwx.model.messages import Event
from webwx.storage.cursors import decode_cursor, encode_cursor


class Journal:
    """A journal with events up to a number."""

    def __init__(self, newest: int) -> None:
        self._newest = newest

    async def read_events(self, after: int = 0, *, limit: int) -> list[int]:
        return [*range(after + 1, self._newest + 1)][:limit]


class Known:
    """An account with stored events of which this process knows the first ones."""

    def __init__(self, newest: int, stored: int) -> None:
        self.newest = newest
        self.client = Journal(stored)

    async def read_events(self, after: int, *, limit: int, since: float = 0, until: float = 0) -> list[AccountEvent]:
        raise AssertionError("No event is new.")


class Pruned(Known):
    """An account of whose events only the last one is left."""

    async def read_events(self, after: int, *, limit: int, since: float = 0, until: float = 0) -> list[AccountEvent]:
        return [AccountEvent(account=1, event=Event(number=self.newest))]


@pytest.mark.parametrize(
    ("after", "since", "is_lost"), [(6, 0, True), (7, 0, True), (8, 0, False), (0, 0, False), (6, 1, False)]
)
async def test_a_reader_learns_that_events_were_deleted_before_it_read_them(
    after: int, since: float, is_lost: bool
) -> None:
    accounts = {1: Pruned(newest=9, stored=9), 2: Known(newest=3, stored=3)}
    cursor = encode_cursor({1: after, 2: 3} if after else {2: 3})
    page = await EventPages(lambda number: accounts[number]).read([1, 2], cursor, limit=10, since=since, until=0)
    assert (page.lost, [each.event.number for each in page.events]) == (is_lost, [9])
    assert decode_cursor(page.cursor) == {1: 9, 2: 3}


async def test_a_cursor_beyond_the_known_events_is_kept_if_the_journal_has_them() -> None:
    pages = EventPages(lambda _: Known(newest=3, stored=5))
    page = await pages.read([1], encode_cursor({1: 5}), limit=10, since=0, until=0)
    assert (decode_cursor(page.cursor), page.events, page.lost) == ({1: 5}, [], False)
    assert not await pages.wait([1], page.cursor, wait=0)


async def test_a_reader_of_all_accounts_looks_at_the_one_with_news_only() -> None:
    accounts = {number: Known(newest=1, stored=1) for number in range(1, 1_001)}
    looked: list[int] = []

    def account(number: int) -> Known:
        looked.append(number)
        return accounts[number]

    pages = EventPages(account)
    cursor = encode_cursor(dict.fromkeys(accounts, 1))
    waiting = asyncio.ensure_future(pages.wait(tuple(accounts), cursor, wait=20))
    await asyncio.sleep(0)
    assert len(looked) == 1_000
    looked.clear()
    pages.wake((7,))
    pages.wake((5_000,))
    await asyncio.sleep(0)
    assert (looked, waiting.done()) == ([7], False)
    accounts[9].newest = 2
    pages.wake((8, 9))
    assert await waiting
    assert looked == [7, 8, 9]


async def test_a_cursor_beyond_the_journal_is_set_back() -> None:
    pages = EventPages(lambda _: Known(newest=3, stored=3))
    page = await pages.read([1], encode_cursor({1: 5}), limit=10, since=0, until=0)
    assert (decode_cursor(page.cursor), page.lost) == ({1: 3}, True)
