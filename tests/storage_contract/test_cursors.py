"""A cursor over several accounts: each account is read in its own order, and each entry once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import arrival, ids, messages, opened

from webwx.errors import InvalidCursor
from webwx.storage.cursors import decode_cursor, encode_cursor, newest_cursor, read_accounts
from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.cursors import EntryPage

pytestmark = pytest.mark.plain


@pytest.fixture
async def accounts(journal: Journal) -> list[AccountJournal]:
    """Return the accounts 1, 2 and 3."""
    return [await opened(journal, uin) for uin in (1, 2, 3)]


def ids_of(page: EntryPage, account: int) -> list[str]:
    return ids([entry for owner, entry in page.entries if owner == account])


async def test_each_account_is_read_in_order_and_each_entry_once(
    journal: Journal, accounts: list[AccountJournal]
) -> None:
    one, two, _ = accounts
    await one.ingest(arrival(*messages(1, 3)))
    await two.ingest(arrival(*messages(1, 2)))
    first = await read_accounts(journal, [1, 2, 3])
    await two.ingest(arrival(*messages(3, 2)))
    second = await read_accounts(journal, [3, 2, 1], cursor=first.cursor)
    third = await read_accounts(journal, [1, 2, 3], cursor=second.cursor)

    assert (ids_of(first, 1), ids_of(first, 2)) == (["1", "2", "3"], ["1", "2"])
    assert (ids_of(second, 1), ids_of(second, 2)) == ([], ["3", "4"])
    assert (third.entries, third.cursor) == ([], second.cursor)


async def test_a_busy_account_does_not_delay_another_one(journal: Journal, accounts: list[AccountJournal]) -> None:
    one, two, _ = accounts
    await one.ingest(arrival(*messages(1, 50)))
    await two.ingest(arrival(*messages(1, 1)))
    cursor, seen = "", list[str]()
    for _ in range(5):
        page = await read_accounts(journal, [1, 2], cursor=cursor, limit=10)
        assert ids_of(page, 2) == ([] if cursor else ["1"])
        seen += ids_of(page, 1)
        cursor = page.cursor

    assert seen == [str(number) for number in range(1, 51)]


async def test_a_new_account_is_read_from_its_beginning_and_others_continue(
    journal: Journal, accounts: list[AccountJournal]
) -> None:
    one, two, three = accounts
    for account in accounts:
        await account.ingest(arrival(*messages(1, 2)))
    first = await read_accounts(journal, [1, 2], limit=1)
    second = await read_accounts(journal, [2, 3, 3], cursor=first.cursor)
    third = await read_accounts(journal, [1], cursor=second.cursor)

    assert (ids_of(second, 1), ids_of(second, 2), ids_of(second, 3)) == ([], ["2"], ["1", "2"])
    assert ids_of(third, 1) == ["2"]
    newest = [(await account.find(EntryQuery(limit=1)))[0].number for account in (one, two, three)]
    assert decode_cursor(third.cursor) == dict(enumerate(newest, 1))


async def test_the_newest_cursor_reads_later_entries_only(journal: Journal, accounts: list[AccountJournal]) -> None:
    one, two, _ = accounts
    await one.ingest(arrival(*messages(1, 5)))
    cursor = await newest_cursor(journal, [1, 2])
    await two.ingest(arrival(*messages(1, 1)))
    await one.ingest(arrival(*messages(6, 1)))
    page = await read_accounts(journal, [1, 2], cursor=cursor)

    assert (ids_of(page, 1), ids_of(page, 2)) == (["6"], ["1"])


async def test_a_damaged_cursor_is_an_error(journal: Journal) -> None:
    with pytest.raises(InvalidCursor, match="not a valid cursor"):
        await read_accounts(journal, [1], cursor=encode_cursor({1: 7})[:-1])


async def test_a_cursor_is_valid_after_a_purge(journal: Journal, accounts: list[AccountJournal]) -> None:
    one = accounts[0]
    await one.ingest(arrival(*messages(1, 5)))
    page = await read_accounts(journal, [1], limit=2)
    await one.purge(before=2_000_000_000)
    await one.ingest(arrival(*messages(6, 1)))

    assert ids_of(await read_accounts(journal, [1], cursor=page.cursor), 1) == ["6"]
