"""The migration to version 5: entries of folded batches are stored as rows, in their order and with their numbers."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN, arrival, everything, ids, message, messages

from webwx.model.events import QuarantinedMessage, event_from_item
from webwx.storage.sqlite import schema
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_764_000_000.0


def fold(path: Path, batch: int, texts: list[bytes], *, began: int = 0, body: bytes | None = None) -> None:
    """Add a folded batch to a file of version 4, as it was written."""
    whole = zlib.compress(b'{"BaseResponse":{"Ret":0},"AddMsgList":[' + b",".join(texts) + b"]}")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO batches VALUES (?, 1, ?, ?)", (batch, AT, whole if body is None else body))
        db.execute("INSERT INTO folded VALUES (?, 1, ?, ?)", (batch, began, len(texts)))
        db.commit()


@pytest.fixture
def old(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a file of version 4 with one login and no entries."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
        patch.setattr(schema, "VERSION", 4)
        schema.connect(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO accounts (account, uin) VALUES (1, ?)", (str(UIN),))
        db.execute("INSERT INTO logins VALUES (1, 1, ?, x'', ?, ?, NULL, NULL, 0)", (OWN, AT, AT))
        db.commit()
    return path


async def test_folded_batches_have_their_entries_in_order(old: Path) -> None:
    fold(old, 1, messages(1, 30))
    fold(old, 31, [message("31", at=5), message("32", at=20), message("33", at=0)], began=10)
    journal = SqliteJournal(old, retention_days=0)
    account = journal.account(UIN)

    found = await everything(account)
    assert [each.number for each in found] == list(range(1, 34))
    assert ids(found) == [str(number) for number in range(1, 34)]
    assert [bytes(each.item.raw) for each in found[:30]] == messages(1, 30)
    assert [(each.time, each.is_backlog) for each in found[30:]] == [(5, True), (20, False), (int(AT), False)]
    await account.position(OWN)
    assert await account.ingest(arrival(*messages(1, 30))) == 0
    await journal.close()


async def test_a_damaged_body_affects_only_its_own_batch(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    fold(old, 1, messages(1, 3), body=b"\x00")
    fold(old, 4, messages(4, 3))
    journal = SqliteJournal(old, retention_days=0)
    account = journal.account(UIN)

    found = await everything(account)
    assert ids(found) == ["", "", "", "4", "5", "6"]
    assert isinstance(event_from_item(found[0].item, OWN), QuarantinedMessage)
    assert (await account.stats()).quarantined == 3
    assert "damaged" in caplog.text
    await journal.close()


async def test_a_folded_row_without_its_batch_is_ignored(old: Path) -> None:
    fold(old, 1, messages(1, 3))
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.execute("INSERT INTO folded VALUES (1000, 1, 0, 5)")
        db.commit()
    journal = SqliteJournal(old, retention_days=0)

    assert ids(await everything(journal.account(UIN))) == ["1", "2", "3"]
    await journal.close()
