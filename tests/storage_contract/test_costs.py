"""
The cost of every method of the contract does not depend on the number of stored rows.

Each call below is made on a journal with 1,000 rows in every table, and on one with 50,000. A statement may cost twice
as much there, because an index has more levels. `LINEAR` lists the exceptions.
"""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from contextlib import closing
from functools import partialmethod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pytest
from tests.postgres import new_schema
from tests.storage.arrivals import FRIEND, OWN, ROOM, UIN, arrival, message
from tests.storage.large_journal import (
    ENTRIES_OF_BATCH,
    fill_postgres,
    fill_sqlite,
    fill_sqlite_records,
    prepare,
    stop_autovacuum,
)
from tests.storage.statement_costs import PostgresPages, SqliteSteps

from webwx.model.contacts import Contact, ContactId
from webwx.model.messages import Receipt
from webwx.storage.base import AccountJournal, Journal
from webwx.storage.consumer import Consumer
from webwx.storage.entries import EntryQuery
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.records import PostgresRecordStore
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.records import SqliteRecordStore
from webwx.storage.tables.conversations import ConversationRow
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import SendQuery
from webwx.storage.tables.records import NewAuditEntry, RecordChange
from webwx.storage.tables.registry import OF_ACCOUNTS
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.storage.statement_costs import StatementCosts

    from webwx.model.roster import Roster
    from webwx.storage.tables.records import RecordStore

SMALL, LARGE = 1_000, 50_000

SPARE = 200
"""Steps or pages that a statement may cost more in any case: four for each of 50 rows that are far from each other."""

Part: TypeAlias = str
"""A part of `Opened`, or of an account."""

PARTS_OF_ACCOUNT = tuple(inspect.get_annotations(AccountJournal))


class Opened(NamedTuple):
    """A journal and its parts, with the number of its rows."""

    size: int
    journal: Journal
    account: AccountJournal
    consumer: Consumer
    records: RecordStore
    roster: Roster

    def part(self, name: Part) -> object:
        """Return a part by its name."""
        return getattr(self.account if name in PARTS_OF_ACCOUNT else self, name)


def _receipt(message_id: str) -> Receipt:
    return Receipt(message_id=message_id, client_id="new", chat=FRIEND, time=1)


async def _open_and_close(it: Opened) -> None:
    consumer = await it.account.consumer("bot")
    await consumer.close()


async def _add_media(it: Opened) -> None:
    [entry] = await it.account.find(EntryQuery(numbers=(it.size // 2,)))
    with it.account.media.begin() as (file, part):
        file.write(b"picture")
        await it.account.media.add(entry, part, time=1.0, max_total=10**9)


async def _pass_over(it: Opened) -> None:
    [entry] = await it.account.find(EntryQuery(numbers=(it.size // 2 + 1,)))
    await it.account.media.pass_over(entry, "too_large", time=1.0)


async def _put_and_delete(it: Opened) -> None:
    await it.records.put("key", "new", b"1", version=0, time=1.0)
    await it.records.delete("key", "new")


def _timer(it: Opened, key: str) -> object:
    return it.account.timers.add(
        bot="bot", handler="remind", key=key, name="", chat=FRIEND, payload=b"null", due_at=1e9, time=1.0
    )


def _find(**conditions: object) -> Callable[[Opened], object]:
    return lambda it: it.account.find(EntryQuery(**conditions))  # type: ignore[arg-type]


def _find_sends(**conditions: object) -> Callable[[Opened], object]:
    return lambda it: it.account.outbox.find(SendQuery(**conditions))  # type: ignore[arg-type]


# In this order: the consumer is closed at the end, and forgotten after that.
CALLS: Mapping[tuple[Part, str], Mapping[str, Callable[[Opened], object]]] = {
    ("journal", "account"): {"": lambda it: it.journal.account(UIN)},
    ("journal", "accounts"): {"": lambda it: it.journal.accounts()},
    ("journal", "fingerprint"): {"": lambda it: it.journal.fingerprint(UIN)},
    ("account", "position"): {"": lambda it: it.account.position(OWN)},
    ("account", "ingest"): {
        "a message": lambda it: it.account.ingest(arrival(message("99000001"))),
        "a known message": lambda it: it.account.ingest(arrival(message("99000001"))),
        "a message with a known id": lambda it: it.account.ingest(arrival(message("77", "changed"))),
    },
    ("account", "find"): {
        "the newest": _find(limit=50),
        "before": lambda it: it.account.find(EntryQuery(before=it.size // 2, limit=50)),
        "after": lambda it: it.account.find(EntryQuery(after=it.size // 2, limit=50)),
        "by number": _find(numbers=(500,)),
        "by numbers": _find(numbers=(500, 600), limit=2),
        "by message id": _find(message_id="500"),
        "by message ids": _find(message_ids=("500", "600")),
        "of a large chat": _find(chats=(FRIEND,), limit=50),
        "of a large chat, before": lambda it: it.account.find(
            EntryQuery(chats=(FRIEND,), before=it.size // 2, limit=50)
        ),
        "of a large chat, after": lambda it: it.account.find(EntryQuery(chats=(FRIEND,), after=it.size // 2, limit=50)),
        "of a small chat": _find(chats=(ROOM,), limit=50),
        "of both chats": _find(chats=(FRIEND, ROOM), limit=50),
        "of both chats, before": lambda it: it.account.find(
            EntryQuery(chats=(FRIEND, ROOM), before=it.size // 2, limit=50)
        ),
        "since": lambda it: it.account.find(EntryQuery(since=it.size - 20)),
        "since, long ago": _find(since=20),
        "until": lambda it: it.account.find(EntryQuery(until=it.size - 20)),
        "until, in a chat": lambda it: it.account.find(EntryQuery(chats=(FRIEND,), until=it.size - 20)),
        "until, long ago": _find(until=20),
        "notices": _find(is_notice=True, limit=50),
        "a rare word": _find(words="number500x"),
        "a frequent word": _find(words="hello", limit=50),
        "a frequent word in a chat": _find(words="hello", chats=(FRIEND,), limit=50),
        "a frequent word in a small chat": _find(words="hello", chats=(ROOM,), limit=50),
        "a rare word in a chat": _find(words="number501x", chats=(FRIEND,)),
        "a rare word in two chats": _find(words="number501x", chats=(FRIEND, ROOM)),
        "an absent word in two chats": _find(words="absent", chats=(FRIEND, ROOM)),
        "a frequent word, until": lambda it: it.account.find(
            EntryQuery(words="hello", chats=(FRIEND,), until=it.size // 2, limit=50)
        ),
        "a frequent word, after": lambda it: it.account.find(
            EntryQuery(words="hello", chats=(FRIEND, ROOM), after=it.size // 2, limit=50)
        ),
    },
    ("account", "unread"): {
        "of a large chat": lambda it: it.account.unread((FRIEND,), it.size - 50),
        "of a small chat": lambda it: it.account.unread((ROOM,), 0),
        "of both chats": lambda it: it.account.unread((FRIEND, ROOM), it.size - 50),
    },
    ("account", "people"): {"": lambda it: it.account.people([ContactId("@c5"), ContactId("@i6")])},
    ("account", "save_contacts"): {
        "": lambda it: it.account.save_contacts(OWN, [Contact(id=FRIEND, nickname="f")], [ContactId("@c7")])
    },
    ("account", "chats_named"): {"": lambda it: it.account.chats_named("name 9")},
    ("account", "state"): {"": lambda it: it.account.state("state 5")},
    ("account", "change_state"): {"": lambda it: it.account.change_state("state 5", lambda _: b"new")},
    ("account", "stats"): {"": lambda it: it.account.stats()},
    ("account", "check_bodies"): {"": lambda it: it.account.check_bodies()},
    ("account", "consumers"): {"": lambda it: it.account.consumers()},
    ("account", "consumer_names"): {"": lambda it: it.account.consumer_names()},
    ("account", "dead_letters"): {
        "the newest": lambda it: it.account.dead_letters("bot"),
        "before": lambda it: it.account.dead_letters("bot", before=it.size // 2),
    },
    ("account", "revive"): {"": lambda it: it.account.revive("bot", 500)},
    ("account", "roster"): {"": lambda it: it.account.roster(OWN)},
    ("account", "open_login"): {
        "known": lambda it: it.account.open_login(OWN, b"begin", 1.0, []),
        "new": lambda it: it.account.open_login(ContactId("@me-next"), b"begin", 1.0, []),
    },
    ("roster", "get"): {"": lambda it: it.roster.get("@c50")},
    ("roster", "named"): {"": lambda it: it.roster.named("name 50")},
    ("consumer", "take"): {"": lambda it: it.consumer.take()},
    ("consumer", "show"): {"": lambda it: it.consumer.show(it.size - 9)},
    ("consumer", "ack"): {
        "the next": lambda it: it.consumer.ack(it.size - 9),
        "a later one": lambda it: it.consumer.ack(it.size - 5),
    },
    ("consumer", "commit"): {
        "": lambda it: it.consumer.commit(
            [it.size - 4], [ConversationRow(key="key 5", step="next", chat=FRIEND, deadline=5.0, changed_at=5.0)]
        )
    },
    ("consumer", "conversation"): {"": lambda it: it.consumer.conversation("key 6")},
    ("consumer", "conversations"): {"": lambda it: it.consumer.conversations()},
    ("consumer", "deadlines"): {"": lambda it: it.consumer.deadlines()},
    ("consumer", "failed"): {"": lambda it: it.consumer.failed(it.size - 3, "ValueError")},
    ("consumer", "add_poison_marker"): {"": lambda it: it.consumer.add_poison_marker(it.size - 2)},
    ("consumer", "recount_crashes"): {"": lambda it: it.consumer.recount_crashes(it.size - 2)},
    ("consumer", "remove_poison_marker"): {"": lambda it: it.consumer.remove_poison_marker(it.size - 2)},
    ("consumer", "give_up"): {"": lambda it: it.consumer.give_up(it.size - 2, "ValueError")},
    ("consumer", "flush"): {"": lambda it: it.consumer.flush()},
    ("outbox", "add"): {
        "queued": lambda it: it.account.outbox.add(
            client_id="new 1", chat=FRIEND, kind="text", text="hello", key="", time=1.0
        ),
        "sending": lambda it: it.account.outbox.add(
            client_id="new 2", chat=FRIEND, kind="text", text="hello", key="new", time=1.0, state="sending"
        ),
        "of a known key": lambda it: it.account.outbox.add(
            client_id="new 3", chat=FRIEND, kind="text", text="hello", key="key 5", time=1.0
        ),
    },
    ("outbox", "sending"): {"": lambda it: it.account.outbox.sending(it.size + 1, 2.0, FRIEND)},
    ("outbox", "move_to_background"): {"": lambda it: it.account.outbox.move_to_background(it.size + 1)},
    ("outbox", "queue_again"): {"": lambda it: it.account.outbox.queue_again(it.size + 2, 4.0)},
    ("outbox", "end_background"): {"": lambda it: it.account.outbox.end_background()},
    ("outbox", "settle"): {
        "sent": lambda it: it.account.outbox.settle(
            it.size + 1, "sent", time=3.0, receipt=_receipt("new"), begun_at=2.0
        ),
        "failed": lambda it: it.account.outbox.settle(it.size + 2, "failed", time=3.0, ret=1, begun_at=1.0),
    },
    ("outbox", "flush"): {"": lambda it: it.account.outbox.flush()},
    ("outbox", "find"): {
        "the newest": _find_sends(),
        "before": lambda it: it.account.outbox.find(SendQuery(before=it.size // 2)),
        "by number": _find_sends(number=500),
        "by key": _find_sends(key="key 500"),
        "by client id": _find_sends(client_id="c500"),
        "by message id": _find_sends(message_id="500"),
        "of a frequent state": _find_sends(states=("sent",)),
        "of a rare state": _find_sends(states=("queued",)),
        "of two states": _find_sends(states=("sent", "failed")),
        "of an absent state": _find_sends(states=("recalled",)),
        "of a large chat": _find_sends(chats=(FRIEND,)),
        "of a small chat": _find_sends(chats=(ROOM,)),
        "of both chats": _find_sends(chats=(FRIEND, ROOM)),
        "of a small chat and a state": _find_sends(chats=(ROOM,), states=("sent",)),
        "of a large chat and a rare state": _find_sends(chats=(FRIEND,), states=("queued",)),
        "since": lambda it: it.account.outbox.find(SendQuery(since=it.size - 20.0)),
        "since, long ago": _find_sends(since=20.0),
        "since, in a chat": lambda it: it.account.outbox.find(SendQuery(chats=(FRIEND,), since=it.size - 20.0)),
        "until": lambda it: it.account.outbox.find(SendQuery(until=it.size - 20.0)),
        "until, long ago": _find_sends(until=20.0),
    },
    ("outbox", "count"): {"": lambda it: it.account.outbox.count()},
    ("outbox", "remove"): {"": lambda it: it.account.outbox.remove(it.size + 2)},
    ("read_positions", "last_entry"): {"": lambda it: it.account.read_positions.last_entry()},
    ("read_positions", "highest"): {"": lambda it: it.account.read_positions.highest([ContactId("@c500"), FRIEND])},
    ("read_positions", "mark"): {"": lambda it: it.account.read_positions.mark(ContactId("@c500"), 600, 1.0)},
    ("timers", "add"): {"": lambda it: _timer(it, "new"), "of a known key": lambda it: _timer(it, "key 5")},
    ("timers", "find"): {
        "all": lambda it: it.account.timers.find(TimerQuery(bot="bot")),
        "by number": lambda it: it.account.timers.find(TimerQuery(bot="bot", number=it.size)),
        "by name": lambda it: it.account.timers.find(TimerQuery(bot="bot", name=f"name {it.size}")),
        "due": lambda it: it.account.timers.find(TimerQuery(bot="bot", due_until=float(it.size))),
    },
    ("timers", "postpone"): {"": lambda it: it.account.timers.postpone(it.size, 1e9, failures=1, time=1.0)},
    ("timers", "settle"): {"": lambda it: it.account.timers.settle(it.size, "done", time=1.0)},
    ("media", "begin"): {"": lambda it: it.account.media.begin()},
    ("media", "add"): {"": _add_media},
    ("media", "pass_over"): {"": _pass_over},
    ("media", "find"): {"": lambda it: it.account.media.find("500")},
    ("media", "drop"): {"": lambda it: it.account.media.drop(before=5.0)},
    ("identities", "find"): {
        "by number": lambda it: it.account.identities.find(IdentityQuery(number=500)),
        "by id": lambda it: it.account.identities.find(IdentityQuery(contact_id=ContactId("@i50"))),
        "by name": lambda it: it.account.identities.find(IdentityQuery(name="name 50")),
        "by real id": lambda it: it.account.identities.find(IdentityQuery(real_id="wxid_50")),
    },
    ("identities", "links"): {"": lambda it: it.account.identities.links(1)},
    ("identities", "merge"): {"": lambda it: it.account.identities.merge(1, 2)},
    ("identities", "split"): {"": lambda it: it.account.identities.split(1, ContactId("@ann-1"))},
    ("identities", "contacts"): {"": lambda it: it.account.people([ContactId("@i5")])},
    ("identities", "identify"): {
        "a new contact": lambda it: it.account.identities.identify(
            OWN, [Contact(id=ContactId("@new"), nickname="new")], complete=False, time=1.0
        ),
        "a changed contact": lambda it: it.account.identities.identify(
            OWN, [Contact(id=ContactId("@new"), nickname="newer")], complete=False, time=1.0
        ),
        "a real id": lambda it: it.account.identities.identify(
            OWN, [], complete=False, time=1.0, real_ids={ContactId("@i8"): "wxid_new"}
        ),
    },
    ("records", "find"): {"by prefix": lambda it: it.records.find("key", prefix="id 500")},
    ("records", "get"): {"": lambda it: it.records.get("key", "id 500")},
    ("records", "put"): {"": lambda it: it.records.put("key", "id 500", b"new", version=1, time=1.0)},
    ("records", "delete"): {"": _put_and_delete},
    ("records", "overwrite"): {"": lambda it: it.records.overwrite("key", {"id 502": b"new"}, time=1.0)},
    ("records", "change"): {
        "": lambda it: it.records.change([RecordChange(kind="key", id="id 501", version=1, body=b"new")], time=1.0)
    },
    ("records", "append_audit"): {"": lambda it: it.records.append_audit("me", "do", time=1.0)},
    ("records", "append_audits"): {
        "": lambda it: it.records.append_audits([NewAuditEntry(1.0, "me", "do"), NewAuditEntry(2.0, "me", "do")])
    },
    ("records", "audit"): {
        "the newest": lambda it: it.records.audit(),
        "before": lambda it: it.records.audit(before=it.size // 2),
    },
    ("consumer", "close"): {"": lambda it: it.consumer.close()},
    ("account", "consumer"): {
        "new": lambda it: it.account.consumer("another"),
        "known": _open_and_close,
    },
    ("account", "forget_consumer"): {"": lambda it: it.account.forget_consumer("bot")},
    ("account", "purge"): {"": lambda it: it.account.purge(before=20.0)},
    ("records", "close"): {"": lambda it: it.records.close()},
    ("journal", "close"): {"": lambda it: it.journal.close()},
}
"""Calls of each method of each part, by what they look up."""

WITH_FEW_ROWS = {"logins", "consumers", "acked_ahead", "crashes", "origins"}
"""Tables that do not grow with what an account receives and stores."""

NOT_ON_ROWS = {("records", "backup")}
"""Public methods that copy the whole file."""

_COUNTS = "counts the rows"
_DELETES = "looks for rows to delete, which a person asks for, or which is done once a day"
_ALL_CONTACTS = "a roster holds the ids of all contacts of its login"
_ALL_IDENTITIES = "compares the contact with all identities of the account"
_BY_TIME = "reads all later sends, because the order of the times need not be that of the numbers"

_BLOCKS = "reads a row for each 512 entries"

LINEAR: Mapping[tuple[Part, str, str], str] = {
    ("account", "find", "since"): _BLOCKS,
    ("account", "find", "until, long ago"): _BLOCKS,
    ("account", "stats", ""): _COUNTS,
    ("account", "check_bodies", ""): "reads all bodies",
    ("account", "consumers", ""): _COUNTS,
    ("account", "roster", ""): _ALL_CONTACTS,
    ("account", "open_login", "known"): _ALL_CONTACTS,
    ("account", "purge", ""): _DELETES,
    ("outbox", "find", "until, long ago"): _BY_TIME,
    ("outbox", "count", ""): _COUNTS,
    ("media", "drop", ""): _DELETES,
    ("identities", "identify", "a new contact"): _ALL_IDENTITIES,
    ("identities", "identify", "a changed contact"): _ALL_IDENTITIES,
}
"""The calls that cost more in a large journal, with the reason; they are not made."""

LINEAR_IN_SQLITE: Mapping[tuple[Part, str, str], str] = {
    ("account", "forget_consumer", ""): _DELETES,
}

PROTOCOLS = {"journal": Journal, "account": AccountJournal, "consumer": Consumer}


def _methods(opened: Opened) -> set[tuple[Part, str]]:
    """Return the methods of the contract; a part of an account has no others."""
    return {
        (part, name)
        for part in ("journal", "account", "consumer", "records", *PARTS_OF_ACCOUNT)
        for name, _ in inspect.getmembers(PROTOCOLS.get(part, type(opened.part(part))), inspect.isfunction)
        if not name.startswith("_")
    } - NOT_ON_ROWS


async def _open(journal: Journal, records: RecordStore, size: int) -> Opened:
    account = journal.account(UIN)
    await account.position(OWN)
    consumer = await account.consumer("bot", shows=True)
    return Opened(size, journal, account, consumer, records, await account.roster(OWN))


async def _costs(
    opened: Opened, costs: StatementCosts, exceptions: Mapping[tuple[Part, str, str], str]
) -> dict[tuple[Part, str, str], dict[str, int]]:
    """Return the cost of each statement of each call that is no exception."""
    counted: dict[tuple[Part, str, str], dict[str, int]] = {}
    costs.take()
    for (part, method), calls in CALLS.items():
        for name, call in calls.items():
            if (part, method, name) in exceptions:
                continue
            result = call(opened)
            if inspect.isawaitable(result):
                await result
            if method != "close":
                await opened.account.outbox.flush()
                await opened.consumer.flush()
            counted[part, method, name] = costs.take()
    return counted


def _grown(
    small: Mapping[tuple[Part, str, str], Mapping[str, int]], large: Mapping[tuple[Part, str, str], Mapping[str, int]]
) -> dict[tuple[Part, str, str], list[str]]:
    """Return the statements that cost more than twice as much in the large journal, by call."""
    grown: dict[tuple[Part, str, str], list[str]] = {}
    for call, statements in large.items():
        for statement, cost in statements.items():
            before = small[call].get(statement)
            if before is None:  # work in the background, which ran beside another call
                before = max((each.get(statement, 0) for each in small.values()), default=0)
            if before and cost > 2 * before + SPARE:
                grown.setdefault(call, []).append(f"{before} -> {cost}: {' '.join(statement.split())}")
    return grown


def _check(
    small: Mapping[tuple[Part, str, str], Mapping[str, int]], large: Mapping[tuple[Part, str, str], Mapping[str, int]]
) -> None:
    refused = _grown(small, large)
    assert not refused, "\n".join(f"{'.'.join(call)}\n  " + "\n  ".join(found) for call, found in refused.items())


async def test_large_journal_has_many_rows_in_every_table(tmp_path: Path) -> None:
    await prepare(journal := SqliteJournal(tmp_path / "me.journal"))
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "me.journal", isolation_level=None)) as db:
        fill_sqlite(db.execute, SMALL)
        rows = {table.name: db.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in OF_ACCOUNTS}
    few = {name for name, count in rows.items() if count < SMALL // ENTRIES_OF_BATCH}
    assert few == WITH_FEW_ROWS, "large_journal.py has to write rows of each table"


async def test_sqlite_makes_as_many_steps_in_a_large_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    for size in (SMALL, LARGE):
        path, records = tmp_path / f"{size}.journal", tmp_path / f"{size}.records"
        await prepare(journal := SqliteJournal(path))
        await journal.close()
        await (store := SqliteRecordStore(records)).get("", "")
        await store.close()
        for each, fill in ((path, fill_sqlite), (records, fill_sqlite_records)):
            with closing(sqlite3.connect(each, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = OFF")
                db.execute("BEGIN")
                fill(db.execute, size)
                db.execute("COMMIT")
        with monkeypatch.context() as patch:
            steps = SqliteSteps(patch)
            opened = await _open(SqliteJournal(path, retention_days=0), SqliteRecordStore(records), size)
            assert set(CALLS) - {("roster", "get"), ("roster", "named")} == _methods(opened)
            counted.append(await _costs(opened, steps, {**LINEAR, **LINEAR_IN_SQLITE}))
    _check(*counted)


@pytest.mark.verify
async def test_postgresql_reads_as_many_pages_in_a_large_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    # The first statements of a session read hundreds of pages about tables and functions, so there is one session.
    monkeypatch.setattr(PostgresDatabase, "__init__", partialmethod(PostgresDatabase.__init__, jobs=1))
    for size in (SMALL, LARGE):
        schema = new_schema()
        await prepare(journal := PostgresJournal(schema.url))
        await journal.close()
        await asyncio.to_thread(fill_postgres, schema.execute, size)
        pages = PostgresPages(schema)
        records = PostgresRecordStore(PostgresDatabase(schema.url))
        opened = await _open(PostgresJournal(schema.url, retention_days=0), records, size)
        counted.append(await _costs(opened, pages, LINEAR))
    _check(*counted)


LESS_LARGE = 20_000

WITHOUT_STATISTICS = ("outbox", "timers")
"""Parts of an account whose calls are tested on tables that were never analyzed."""


@pytest.mark.verify
@pytest.mark.parametrize("planned", ["with the rows", "before the rows"])
async def test_postgresql_reads_few_pages_without_statistics(monkeypatch: pytest.MonkeyPatch, planned: str) -> None:
    monkeypatch.setattr(PostgresDatabase, "__init__", partialmethod(PostgresDatabase.__init__, jobs=1))
    others = {
        (part, method, name): ""
        for (part, method), calls in CALLS.items()
        for name in calls
        if part not in WITHOUT_STATISTICS
    }
    others["outbox", "end_background", ""] = "runs once, when the account is removed"
    counted = []
    for size in (SMALL, LESS_LARGE):
        schema = new_schema()
        await prepare(journal := PostgresJournal(schema.url))
        await journal.close()
        await asyncio.to_thread(stop_autovacuum, schema.execute)
        pages = PostgresPages(schema)
        records = PostgresRecordStore(PostgresDatabase(schema.url))
        opened = await _open(PostgresJournal(schema.url, retention_days=0), records, size)
        if planned == "before the rows":
            await _costs(opened._replace(size=0), pages, {**LINEAR, **others})
            schema.execute("".join(f"DELETE FROM {part};" for part in WITHOUT_STATISTICS))
        await asyncio.to_thread(fill_postgres, schema.execute, size, analyzed=False)
        counted.append(await _costs(opened, pages, {**LINEAR, **others}))
        await opened.journal.close()
    _check(*counted)


MANY, BACKLOG = 12, 5_000


async def _cost_of_consumers(journal: Journal, costs: StatementCosts) -> int:
    """Return what it costs to list the consumers of a journal."""
    account = journal.account(UIN)
    costs.take()
    assert {each.waiting for each in await account.consumers()} == {BACKLOG, 10}
    return sum(costs.take().values())


async def _open_consumers(journal: Journal, first: int, last: int) -> None:
    """Open and close consumers that have read nothing."""
    for number in range(first, last):
        consumer = await journal.account(UIN).consumer(f"bot {number}", since="beginning")
        await consumer.close()


async def test_sqlite_counts_the_backlog_of_many_consumers_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(journal := SqliteJournal(tmp_path / "me.journal"))
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "me.journal", isolation_level=None)) as db:
        fill_sqlite(db.execute, BACKLOG)
    steps = SqliteSteps(monkeypatch)
    async with SqliteJournal(tmp_path / "me.journal", retention_days=0) as journal:
        await _open_consumers(journal, 0, 1)
        one = await _cost_of_consumers(journal, steps)
        await _open_consumers(journal, 1, MANY)
        assert await _cost_of_consumers(journal, steps) < 2 * one


@pytest.mark.verify
async def test_postgresql_counts_the_backlog_of_many_consumers_once() -> None:
    schema = new_schema()
    await prepare(journal := PostgresJournal(schema.url))
    await journal.close()
    await asyncio.to_thread(fill_postgres, schema.execute, BACKLOG)
    schema.execute("TRUNCATE failures")  # all of which belong to one consumer, so each other one would read them too
    pages = PostgresPages(schema)
    async with PostgresJournal(schema.url, retention_days=0) as journal:
        await _open_consumers(journal, 0, 1)
        one = await _cost_of_consumers(journal, pages)
        await _open_consumers(journal, 1, MANY)
        assert await _cost_of_consumers(journal, pages) < 2 * one


FEW_LEFT, MANY_LEFT = 5_000, 50_000


async def _grown_backlog(journal: Journal, costs: StatementCosts, waiting: int) -> int:
    """Return what it costs to list consumers, one of which has read nothing."""
    await _open_consumers(journal, 0, 1)
    costs.take()
    assert {each.name: each.waiting for each in await journal.account(UIN).consumers()} == {"bot": 10, "bot 0": waiting}
    return sum(costs.take().values())


async def test_sqlite_counts_a_long_backlog_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    for size in (FEW_LEFT, MANY_LEFT):
        await prepare(journal := SqliteJournal(tmp_path / f"{size}.journal"))
        await journal.close()
        with closing(sqlite3.connect(tmp_path / f"{size}.journal", isolation_level=None)) as db:
            db.execute("BEGIN")
            fill_sqlite(db.execute, size)
            db.execute("DELETE FROM failures")
            db.execute("DELETE FROM entries WHERE number IN (700, 701, 800)")
            db.execute("COMMIT")
        with monkeypatch.context() as patch:
            steps = SqliteSteps(patch)
            async with SqliteJournal(tmp_path / f"{size}.journal", retention_days=0) as journal:
                counted.append(await _grown_backlog(journal, steps, size - 3))
    assert counted[1] < 1.5 * counted[0]


@pytest.mark.verify
async def test_postgresql_counts_a_long_backlog_by_blocks() -> None:
    counted = []
    for size in (FEW_LEFT, MANY_LEFT):
        schema = new_schema()
        await prepare(journal := PostgresJournal(schema.url))
        await journal.close()
        await asyncio.to_thread(fill_postgres, schema.execute, size)
        schema.execute("TRUNCATE failures")
        schema.execute("DELETE FROM entries WHERE number IN (700, 701, 800)")
        pages = PostgresPages(schema)
        async with PostgresJournal(schema.url, retention_days=0) as journal:
            counted.append(await _grown_backlog(journal, pages, size - 3))
    assert counted[1] < 1.5 * counted[0] + SPARE
