"""Blocking: a call runs no query on the event loop's thread, and its work there does not grow with the journal."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, arrival, messages, opened

from webwx.model.contacts import Contact, ContactId
from webwx.storage.base import EntryQuery, IdentityQuery, SendQuery
from webwx.storage.cursors import newest_cursor, read_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from webwx.storage.base import AccountJournal, Journal

FEW, MANY = 10, 1_000

CALLS: dict[str, Callable[[AccountJournal, Journal], Awaitable[object]]] = {
    "find by number": lambda account, _: account.find(EntryQuery(number=3)),
    "find by id": lambda account, _: account.find(EntryQuery(message_id="3")),
    "find by words": lambda account, _: account.find(EntryQuery(words="nothing has this")),
    "find by chat": lambda account, _: account.find(EntryQuery(chats=(ContactId("@x"),))),
    "find notices": lambda account, _: account.find(EntryQuery(is_notice=True)),
    "find by time": lambda account, _: account.find(EntryQuery(since=2e9)),
    "read": lambda account, _: account.read(limit=5),
    "read accounts": lambda _, journal: read_accounts(journal, [0, 1], limit=5),
    "newest cursor": lambda _, journal: newest_cursor(journal, [0, 1]),
    "find sends": lambda account, _: account.outbox.find(SendQuery(states=("failed",))),
    "find identities": lambda account, _: account.identities.find(IdentityQuery(name="nobody")),
    "links": lambda account, _: account.identities.links(1),
    "find media": lambda account, _: account.media.find("3"),
    "dead letters": lambda account, _: account.dead_letters("bot"),
    "roster": lambda account, _: account.roster(OWN),
    "people": lambda account, _: account.people([ContactId("@nobody")]),
    "chats by name": lambda account, _: account.chats_named("nobody"),
    "position": lambda account, _: account.position(OWN),
    "state": lambda account, _: account.state("pace"),
    "stats": lambda account, _: account.stats(),
    "accounts": lambda _, journal: journal.accounts(),
    "ingest": lambda account, _: account.ingest(arrival(*messages(5_000, 3))),
    "purge": lambda account, _: account.purge(before=2e9, chats=(ContactId("@x"),)),
}


@contextmanager
def calls_of_this_thread() -> Iterator[list[object]]:
    """Record the calls of this thread: a code object or a C function for each."""
    calls: list[object] = []

    def note(frame: FrameType, event: str, arg: object) -> None:
        if event in {"call", "c_call"}:
            calls.append(frame.f_code if event == "call" else arg)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


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
async def test_a_call_leaves_the_loop_little_to_do_however_much_is_stored(journal: Journal, name: str) -> None:
    costs: list[int] = []
    for uin, size in enumerate((FEW, MANY)):
        account = await filled(journal, uin, size)
        await CALLS[name](account, journal)  # opens what is opened once
        with calls_of_this_thread() as calls:
            await CALLS[name](account, journal)
        assert [each for each in calls if type(getattr(each, "__self__", None)).__module__ == "sqlite3"] == []
        costs.append(len(calls))
    few, many = costs
    assert many - few < (MANY - FEW) // 10
