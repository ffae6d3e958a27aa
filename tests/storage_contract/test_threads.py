"""Blocking: no call runs a query on the event loop's thread, and its work there does not grow with the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, arrival, messages, opened
from tests.storage.calls import calls_of_this_thread, is_query

from webwx.model.contacts import Contact, ContactId
from webwx.storage.cursors import newest_cursor, read_accounts
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal

FEW, MANY = 10, 1_000

CALLS: dict[str, Callable[[AccountJournal, Journal], Awaitable[object]]] = {
    "find by number": lambda account, _: account.find(EntryQuery(numbers=(3,))),
    "find by id": lambda account, _: account.find(EntryQuery(message_id="3")),
    "find by words": lambda account, _: account.find(EntryQuery(words="nothing has this")),
    "find by chat": lambda account, _: account.find(EntryQuery(chats=(ContactId("@x"),))),
    "find notices": lambda account, _: account.find(EntryQuery(is_notice=True)),
    "find by time": lambda account, _: account.find(EntryQuery(since=2e9)),
    "read": lambda account, _: account.find(EntryQuery(after=0, limit=5)),
    "read accounts": lambda _, journal: read_accounts(journal, [0, 1], limit=5),
    "newest cursor": lambda _, journal: newest_cursor(journal, [0, 1]),
    "find sends": lambda account, _: account.outbox.find(SendQuery(states=("failed",))),
    "find identities": lambda account, _: account.identities.find(IdentityQuery(name="unknown")),
    "links": lambda account, _: account.identities.links(1),
    "find media": lambda account, _: account.media.find("3"),
    "dead letters": lambda account, _: account.dead_letters("bot"),
    "roster": lambda account, _: account.roster(OWN),
    "people": lambda account, _: account.people([ContactId("@unknown")]),
    "chats by name": lambda account, _: account.chats_named("unknown"),
    "position": lambda account, _: account.position(OWN),
    "state": lambda account, _: account.state("pace"),
    "stats": lambda account, _: account.stats(),
    "accounts": lambda _, journal: journal.accounts(),
    "ingest": lambda account, _: account.ingest(arrival(*messages(5_000, 3))),
    "purge": lambda account, _: account.purge(before=2e9, chats=(ContactId("@x"),)),
}


async def filled(journal: Journal, uin: int, size: int) -> AccountJournal:
    """Return an account with a number of entries, sends and contacts."""
    account = await opened(journal, uin)
    await account.ingest(arrival(*messages(1, size)))
    people = [Contact(id=ContactId(f"@{number}"), nickname=f"name {number}") for number in range(size)]
    await account.save_contacts(OWN, people)
    await account.identities.identify(OWN, people, complete=True, time=1.0)
    for number in range(size // 5):
        await account.outbox.add(client_id=str(number), chat=FRIEND, kind="text", text="x", key="", time=1.0)
    return account


@pytest.mark.parametrize("name", CALLS)
async def test_the_work_of_a_call_on_the_loop_does_not_grow_with_the_journal(journal: Journal, name: str) -> None:
    costs: list[int] = []
    for uin, size in enumerate((FEW, MANY)):
        account = await filled(journal, uin, size)
        await CALLS[name](account, journal)  # Opens everything that is opened once.
        with calls_of_this_thread() as calls:
            await CALLS[name](account, journal)
        assert list(filter(is_query, calls)) == []
        costs.append(len(calls))
    few, many = costs
    assert many - few < (MANY - FEW) // 10


@pytest.mark.parametrize("size", [FEW, MANY])
async def test_a_lookup_of_a_contact_reads_one_row(journal: Journal, size: int) -> None:
    roster = await (await filled(journal, 1, size)).roster(OWN)
    roster.get("@0")  # Opens everything that is opened once.
    with calls_of_this_thread() as calls:
        found = roster.get(f"@{size - 1}")
        stranger = roster.get("@stranger")

    assert (f"name {size - 1}", None) == (found and found.nickname, stranger)
    assert len(list(filter(is_query, calls))) <= 2  # `execute` and `fetch`.
    assert len(calls) < 40
