"""A copy into a database: it is stored completely or not at all, and never over an account that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN
from tests.storage.filled import fill

from webwx.errors import StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.open import open_journal_file, open_transfer
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.transfer import copy_journal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

NAME = LoginName("work", "wx.qq.com")


async def test_nothing_is_stored_if_the_copy_differs(schema: TemporarySchema, tmp_path: Path) -> None:
    journal = open_journal_file(tmp_path / "me.journal", retention_days=0)
    await fill(journal)
    await journal.close()
    storage = PostgresStorage(schema.url)
    stored = storage.journal(NAME)
    assert await stored.accounts() == []
    schema.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.text := ''other''; RETURN NEW; END';"
        " CREATE TRIGGER lose BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lose()"
    )
    with pytest.raises(StorageError, match="differs from its source in outbox; nothing was stored"):
        await copy_journal(open_transfer(tmp_path / "me.journal", NAME), open_transfer(schema.url, NAME))
    assert schema.execute("SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM entries)").strip() == "0"
    assert await stored.accounts() == []
    await storage.close()


async def test_an_account_that_is_there_is_not_replaced(schema: TemporarySchema, tmp_path: Path) -> None:
    path = tmp_path / "me.journal"
    journal = open_journal_file(path, retention_days=0)
    await journal.account(UIN).open_login(OWN, b"1", 1_000.0, [])
    await journal.close()
    await copy_journal(open_transfer(path, NAME), open_transfer(schema.url, NAME))

    with pytest.raises(StorageError, match="has a journal of this account already"):
        await copy_journal(open_transfer(path, NAME), open_transfer(schema.url, NAME))
    with pytest.raises(StorageError, match="no journal to copy"):
        await copy_journal(open_transfer(schema.url, LoginName("a", "b")), open_transfer(tmp_path / "new", NAME))
    assert not (tmp_path / "new").exists()


async def test_an_unreachable_database_is_an_error_in_one_sentence(schema: TemporarySchema, tmp_path: Path) -> None:
    schema.end_sessions()
    with pytest.raises(StorageError, match=r"cannot be copied: role .* not permitted"):
        await copy_journal(open_transfer(schema.url, NAME), open_transfer(tmp_path / "new", NAME))
    assert not (tmp_path / "new").exists()
