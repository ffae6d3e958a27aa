"""A copy into a database: it is stored completely or not at all, and never over an account that is there."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, UIN
from tests.storage.filled import fill

from webwx.errors import StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.open import open_journal_file, open_transfer
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.transfer import CHUNK, copy_account, copy_journal

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


async def make_journal(path: Path, uin: int) -> None:
    """Make the journal of an account with two sends and a timer."""
    journal = open_journal_file(path, retention_days=0)
    account = journal.account(uin)
    await account.open_login(OWN, b"1", 1_000.0, [])
    for number in range(2):
        await account.outbox.add(client_id=f"{number}", chat=FRIEND, kind="text", text="", key="", time=1.0)
    await account.timers.add(
        bot="bot", handler="tea", key="t", name="", chat=FRIEND, payload=b"null", due_at=1.0, time=1.0
    )
    await journal.close()


async def make_tables(schema: TemporarySchema) -> None:
    """Make the tables of a schema."""
    storage = PostgresStorage(schema.url)
    assert not await storage.has_journal(NAME)
    await storage.close()


async def test_copies_of_two_accounts_at_once_do_not_wait_for_each_other(
    schema: TemporarySchema, tmp_path: Path
) -> None:
    await make_tables(schema)
    written = {UIN: asyncio.Event(), UIN + 1: asyncio.Event()}

    async def copy(uin: int, begin_after: int | None, end_after: int | None) -> None:
        path = tmp_path / f"{uin}.journal"
        await make_journal(path, uin)
        login = LoginName(f"{uin}", "wx.qq.com")
        if begin_after is not None:
            await written[begin_after].wait()
        async with open_transfer(path, login) as source, open_transfer(schema.url, login) as target:
            await copy_account(await source.rows(uin), await target.new_rows(uin))
            written[uin].set()
            if end_after is not None:
                await written[end_after].wait()
            await target.finish(uin)

    await asyncio.gather(copy(UIN, None, UIN + 1), copy(UIN + 1, UIN, None))
    assert schema.execute("SELECT count(*), max(number) FROM outbox").split() == ["4|2"]
    assert schema.execute("SELECT nextval(pg_get_serial_sequence('outbox', 'number'))").strip() == "3"


async def test_numbers_of_new_rows_are_never_lowered(schema: TemporarySchema, tmp_path: Path) -> None:
    path = tmp_path / "me.journal"
    await make_journal(path, UIN)
    await make_tables(schema)
    schema.execute("SELECT setval(pg_get_serial_sequence('outbox', 'number'), 1000)")
    await copy_journal(open_transfer(path, NAME), open_transfer(schema.url, NAME))
    assert [
        schema.execute(f"SELECT nextval(pg_get_serial_sequence('{table}', 'number'))").strip()
        for table in ("outbox", "timers")
    ] == ["1001", "2"]


async def test_the_sum_of_the_sizes_of_media_is_not_updated_for_each_of_them(
    schema: TemporarySchema, tmp_path: Path
) -> None:
    path = tmp_path / "me.journal"
    await make_journal(path, UIN)
    with contextlib.closing(sqlite3.connect(path)) as file:
        rows = [(1, number, f"{number}", "too_large", "", 5, 1_000.0) for number in range(1, 2 * CHUNK + 1)]
        file.executemany("INSERT INTO media VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        file.commit()
    await make_tables(schema)
    schema.execute(
        "CREATE SEQUENCE updates;"
        " CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''updates'');"
        " RETURN NULL; END';"
        f" ALTER SEQUENCE updates OWNER TO {schema.name};"
        " CREATE TRIGGER count_it AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION count_it()"
    )
    await copy_journal(open_transfer(path, NAME), open_transfer(schema.url, NAME))
    assert schema.execute("SELECT media_size FROM accounts").strip() == f"{5 * len(rows)}"
    assert int(schema.execute("SELECT last_value FROM updates")) == 2
