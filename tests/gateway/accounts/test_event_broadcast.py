"""The broadcast of new events: read once for all readers, in order, and complete for a reader that falls behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.event_broadcast import EventBroadcast, LiveEvents
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import TextMessage
from webwx.storage.cursors import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from collections.abc import Collection


class Stored:
    """An account with stored events, of which the test adds more."""

    def __init__(self, number: int, newest: int = 0) -> None:
        self.number = number
        self.newest = newest
        self.reads: list[int] = []
        """Positions after which events were read."""
        self.first = 1
        """Number of the first event that was not deleted."""
        self.is_damaged = False

    async def read_events(self, after: int, *, limit: int, since: float = 0, until: float = 0) -> list[AccountEvent]:
        self.reads.append(after)
        await asyncio.sleep(0)
        if self.is_damaged:
            raise StorageError("The journal cannot be read.")
        begin = max(after + 1, self.first)
        return [self._event(number) for number in range(begin, min(self.newest, begin + limit - 1) + 1)]

    def _event(self, number: int) -> AccountEvent:
        text = TextMessage(
            message_id=str(number), chat=FILEHELPER, sender=None, is_self=False, time=0, content="", text="",
            number=number,
        )  # fmt: skip
        return AccountEvent(account=self.number, event=text)


class Readers:
    """A broadcast of two accounts, and its readers."""

    def __init__(self) -> None:
        self.accounts = {1: Stored(1), 2: Stored(2)}
        self.broadcast = EventBroadcast(self.accounts.__getitem__)

    def join(self, accounts: Collection[int] = (1,), news: asyncio.Event | None = None) -> LiveEvents:
        numbers = {each: self.accounts[each].newest for each in accounts}
        live = self.broadcast.join(accounts, numbers, (news or asyncio.Event()).set)
        assert live is not None
        return live

    async def store(self, account: int, count: int) -> None:
        """Store events, and wait until they were passed on."""
        self.accounts[account].newest += count
        self.broadcast.wake([account])
        for _ in range(10):
            await asyncio.sleep(0)


def numbers_of(live: LiveEvents) -> list[tuple[int, int]]:
    """Take all events that wait, and return their accounts and numbers."""
    events = list(iter(live.take, None))
    return [(each.shared.account_event.account, each.shared.account_event.event.number) for each in events]


async def test_a_new_event_is_read_once_for_all_readers() -> None:
    readers = Readers()
    live = [readers.join() for _ in range(200)]
    await readers.store(1, 2)
    assert [numbers_of(each) for each in live] == [[(1, 1), (1, 2)]] * 200
    assert readers.accounts[1].reads == [0]


async def test_a_reader_gets_events_of_its_accounts_only() -> None:
    readers = Readers()
    both, second = readers.join((1, 2)), readers.join((2,))
    await readers.store(1, 1)
    await readers.store(2, 1)
    assert numbers_of(both) == [(1, 1), (2, 1)]
    assert numbers_of(second) == [(2, 1)]
    assert decode_cursor(both.cursor) == {1: 1, 2: 1}


async def test_each_reader_gets_the_cursor_of_its_own_position() -> None:
    readers = Readers()
    one, same, both = readers.join(), readers.join(), readers.join((1, 2))
    await readers.store(2, 1)
    await readers.store(1, 1)

    assert [each.cursor for each in iter(one.take, None)] == [encode_cursor({1: 1})]
    assert [each.cursor for each in iter(same.take, None)] == [encode_cursor({1: 1})]
    assert [each.cursor for each in iter(both.take, None)] == [encode_cursor({2: 1}), encode_cursor({1: 1, 2: 1})]
    assert both.cursor == encode_cursor({1: 1, 2: 1})


async def test_a_reader_with_unread_events_does_not_join() -> None:
    readers = Readers()
    readers.accounts[1].newest = 3
    assert readers.broadcast.join((1,), {1: 2}, lambda: None) is None


async def test_a_reader_that_has_read_further_gets_no_event_twice() -> None:
    readers = Readers()
    first = readers.join()
    ahead = readers.broadcast.join((1,), {1: 2}, lambda: None)  # The journal of another process has them.
    assert ahead is not None
    await readers.store(1, 3)
    assert numbers_of(first) == [(1, 1), (1, 2), (1, 3)]
    assert numbers_of(ahead) == [(1, 3)]


async def test_a_reader_that_joins_while_events_are_read_gets_all_after_its_position() -> None:
    readers = Readers()
    ahead = readers.broadcast.join((1,), {1: 2}, lambda: None)
    assert ahead is not None
    readers.accounts[1].newest = 3
    readers.broadcast.wake([1])
    await asyncio.sleep(0)
    readers.accounts[1].newest = 1
    behind = readers.broadcast.join((1,), {1: 1}, lambda: None)
    assert behind is not None
    await readers.store(1, 2)
    assert numbers_of(ahead) == [(1, 3)]
    assert numbers_of(behind) == [(1, 2), (1, 3)]


async def test_a_reader_that_takes_nothing_falls_behind_with_its_position_before_the_next_event() -> None:
    readers = Readers()
    slow, fast = readers.join(), readers.join()
    for _ in range(3):
        await readers.store(1, 150)
        assert len(numbers_of(fast)) == 150
    assert slow.is_behind
    taken = numbers_of(slow)
    assert taken == [(1, number) for number in range(1, len(taken) + 1)]
    assert decode_cursor(slow.cursor) == {1: len(taken)}
    await readers.store(1, 1)
    assert numbers_of(slow) == []
    assert not fast.is_behind


async def test_deleted_events_and_a_damaged_journal_send_readers_back_to_their_own_pages() -> None:
    readers = Readers()
    readers.accounts[1].newest = 1
    news = asyncio.Event()
    live = readers.join(news=news)
    readers.accounts[1].first = 3
    await readers.store(1, 2)
    assert (live.is_behind, news.is_set(), numbers_of(live)) == (True, True, [])
    other = readers.join((2,))
    readers.accounts[2].is_damaged = True
    await readers.store(2, 1)
    assert (other.is_behind, numbers_of(other)) == (True, [])


async def test_the_readers_of_an_account_that_was_removed_read_their_own_pages() -> None:
    readers = Readers()
    live = readers.join((1, 2))
    readers.broadcast.wake([1])
    readers.accounts.pop(1)
    await asyncio.sleep(0)
    assert live.is_behind


async def test_without_readers_nothing_is_read() -> None:
    readers = Readers()
    live = readers.join()
    live.leave()
    await readers.store(1, 1)
    assert readers.accounts[1].reads == []
    again = readers.join()
    await readers.store(1, 1)
    assert numbers_of(again) == [(1, 2)]
