"""The migration of tables that an older version has written, while other processes use them."""

from __future__ import annotations

import asyncio
import json
import runpy
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest
from tests.postgres import new_schema
from tests.storage.arrivals import FRIEND, UIN
from tests.storage_contract.shared_tables import SAMPLES

from webwx.errors import StorageError
from webwx.model.messages import Receipt
from webwx.storage.open import wait_for_tables
from webwx.storage.postgres import checkup, migration
from webwx.storage.postgres import schema as definition
from webwx.storage.postgres.checkup import check_up
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.migration import upgrade
from webwx.storage.postgres.schema import FIRST, FORMER, MIGRATIONS, VERSION, Migration
from webwx.storage.tables import registry
from webwx.storage.tables.outbox import SendQuery
from webwx.storage.tables.registry import ALL
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

DUMP = Path(__file__).parents[1] / "former" / "version-6.sql"
"""A schema of the last version before 100, which has something of everything."""

LAST_NUMBERS = {"timers": 1, "outbox": 5}
"""The highest number that an account of the dump has used up in each table."""

NEXT = VERSION + 1

NEXT_CHANGES = Migration(
    (
        "ALTER TABLE accounts ADD COLUMN IF NOT EXISTS region text NOT NULL DEFAULT '';",
        "ALTER TABLE outbox ADD COLUMN IF NOT EXISTS note text;",
    ),
    {"login_names_opened": "login_names (opened_at)"},
)

*_, NEXT_MIGRATION = definition.migrations([*ALL, msgspec.structs.replace(SAMPLES, since=NEXT)], {NEXT: NEXT_CHANGES})
"""Changes of the kind that a migration may make while others use the tables."""

NAMED = f"INSERT INTO login_names (name, account, opened_at) VALUES ('{{}}/wx.qq.com', {UIN}, 1)"

VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"

SAID: list[str] = []


@pytest.fixture
async def older(schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch) -> TemporarySchema:
    """Return a schema that is one version older than this program is from now on."""
    await upgrade(schema.url, SAID.append)
    for module in (definition, migration):
        monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, NEXT_MIGRATION))
        monkeypatch.setattr(module, "VERSION", NEXT)
    monkeypatch.setattr(checkup, "VERSION", NEXT)
    return schema


@pytest.fixture
def former(schema: TemporarySchema) -> TemporarySchema:
    """Return a schema of the last version before 100."""
    schema.restore(DUMP.read_text().replace("SCHEMA_NAME", schema.name))
    return schema


def version_in(schema: TemporarySchema) -> int:
    return int(schema.execute("SELECT version FROM webwx_schema"))


def layout_of(schema: TemporarySchema) -> str:
    """Return the definitions of columns, constraints, indexes, storage parameters, functions and triggers."""
    queries = (
        "SELECT relname, row_number() OVER (PARTITION BY relname ORDER BY attnum), attname,"
        " format_type(atttypid, atttypmod), attnotnull, attidentity, attstorage, attcollation::regcollation,"
        " pg_get_expr(adbin, adrelid)"
        " FROM pg_class c JOIN pg_attribute ON attrelid = c.oid"
        " LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0"
        " AND NOT attisdropped ORDER BY 1, 2",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname",
        "SELECT relname, relkind, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " ORDER BY 1",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace ORDER BY 1",
        "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
        " WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal ORDER BY tgname",
    )
    return "".join(map(schema.execute, queries)).replace(schema.name, "SCHEMA_NAME")


def rows_of(schema: TemporarySchema) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables."""
    names = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    return {
        name: [json.loads(row) for row in sorted(schema.execute(f"SELECT to_jsonb(t) FROM {name} t").splitlines())]
        for name in schema.execute(names).split()
        if name != "webwx_schema"
    }


RENAMED_TABLES: dict[str, str] = {
    "apart": "never_matched",
    "ahead": "acked_ahead",
}
"""Names of tables of version 100 by those of the former version."""

RENAMED_COLUMNS: dict[str, str] = {
    "identities.became": "merged_into",
    "real_ids.wxid": "real_id",
    "logins.listed": "complete_digest",
}
"""Names of columns of version 100 by those of the former version."""


def as_version_100(former: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows of the former version as version 100 stores them."""

    def text(value: object) -> str:
        return bytes.fromhex(str(value).removeprefix("\\x")).decode()

    for row in former["accounts"]:
        del row["last_timer"], row["last_send"]
        row["media_size"] = sum(each["size"] for each in former["media"] if each["account"] == row["account"])
    for row in former["timers"]:
        row["payload"] = text(row["payload"])
    for row in former["outbox"]:
        row.update(background=False, file="", sender=str(row["sender"] or ""))
        row["receipt"] = row["receipt"] and text(row["receipt"])
    former["evidence"], former["origins"] = [], []
    of_evidence: dict[tuple[int, str], int] = {}
    of_origin: dict[str, int] = {}
    for row in sorted(former["links"], key=lambda row: row["link"]):
        content, found = (text(row.pop(each)).replace("\ue000", "\ue0001") for each in ("evidence", "found"))
        names = {each: row.pop(each) for each in ("nickname", "remark")}
        evidence = of_evidence.setdefault((row["number"], content), len(of_evidence) + 1)
        if evidence > len(former["evidence"]):
            of = {each: row[each] for each in ("account", "number", "login")}
            former["evidence"].append({**of, "evidence": evidence, "content": content, **names})
        origin = of_origin.setdefault(found, len(of_origin) + 1)
        if origin > len(former["origins"]):
            former["origins"].append({"account": row["account"], "origin": origin, "content": found})
        row.update(evidence=evidence, origin=origin)
        del row["link"]
    former["evidence"].sort(key=lambda row: (row["login"], row["number"]))
    return {
        RENAMED_TABLES.get(table, table): [
            {RENAMED_COLUMNS.get(f"{table}.{name}", name): value for name, value in row.items()} for row in rows
        ]
        for table, rows in former.items()
    }


@asynccontextmanager
async def held_up(schema: TemporarySchema) -> AsyncIterator[None]:
    """Keep a transaction open that has changed `login_names`, until which no index of it can be built."""
    db = await asyncpg.connect(schema.url)
    async with db.transaction():
        await db.execute(NAMED.format("first"))
        yield
    await db.close()


async def wait_for_statement(schema: TemporarySchema, begin: str) -> int:
    """Return the process of the server that executes a statement, once one does."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        f" AND usename = '{schema.name}' AND query LIKE '{begin}%'"
    )
    while not (found := schema.execute(query).split()):  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)
    return int(found[0])


@pytest.mark.parametrize("since", [FIRST, NEXT, NEXT + 1])
@pytest.mark.parametrize("before", [0, FORMER])
async def test_a_table_in_the_list_of_all_tables_is_created_in_new_and_former_schemas(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, before: int, since: int
) -> None:
    schema: TemporarySchema = request.getfixturevalue("former" if before else "schema")
    monkeypatch.setattr(registry, "ALL", (*ALL, msgspec.structs.replace(SAMPLES, since=since)))
    newer = runpy.run_path(str(definition.__file__))
    for name in ("_TABLES", "FROM_FORMER", "MIGRATIONS", "VERSION"):
        for module in (definition, migration):
            monkeypatch.setattr(module, name, newer[name], raising=False)

    await upgrade(schema.url, SAID.append)
    assert version_in(schema) == max(VERSION, since)
    assert schema.execute("SELECT count(*) FROM samples").strip() == "0"


async def test_tables_of_an_older_version_are_refused_with_the_command_that_migrates_them(
    older: TemporarySchema,
) -> None:
    async with PostgresJournal(older.url) as journal:
        with pytest.raises(StorageError, match=f"needs version {NEXT}: run 'webwx storage migrate'"):
            await journal.accounts()
    assert version_in(older) == VERSION
    assert (await check_up(older.url)).is_older

    assert await upgrade(older.url, SAID.append) == (VERSION, NEXT)
    async with PostgresJournal(older.url) as journal:
        assert await journal.accounts() == []
    assert await upgrade(older.url, SAID.append) == (NEXT, NEXT)


async def test_a_schema_of_the_version_before_gets_the_layout_of_a_new_one(older: TemporarySchema) -> None:
    new = new_schema()
    assert await upgrade(new.url, SAID.append) == (0, NEXT)
    db = await asyncpg.connect(older.url)
    for statement in NEXT_MIGRATION.statements:  # as if an earlier attempt was interrupted
        await db.execute(statement)
    await db.close()
    assert await upgrade(older.url, SAID.append) == (VERSION, NEXT)
    assert layout_of(older) == layout_of(new)
    tables = new.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").split()
    assert {table.name for table in ALL} <= set(tables)


async def test_tables_from_before_the_version_was_complete_are_not_migrated(schema: TemporarySchema) -> None:
    await upgrade(schema.url, SAID.append)
    schema.execute("ALTER TABLE accounts DROP COLUMN media_size")
    with pytest.raises(StorageError, match=r"from before version 100 was complete \(accounts\.media_size is missing"):
        await upgrade(schema.url, SAID.append)


async def test_a_schema_of_the_former_version_gets_the_layout_of_a_new_one_and_keeps_all_rows(
    former: TemporarySchema,
) -> None:
    new = new_schema()
    assert await upgrade(new.url, SAID.append) == (0, VERSION)
    before = rows_of(former)
    assert all(before.values()), [table for table, rows in before.items() if not rows]

    assert await upgrade(former.url, SAID.append) == (FORMER, VERSION)
    assert layout_of(former) == layout_of(new)
    after = rows_of(former)
    positions = [(row["account"], row["chat"], row["number"]) for row in after.pop("read_positions")]
    assert positions == [(row["account"], "", row["last_number"]) for row in after["accounts"]]  # all count as read
    assert after == {**{table: [] for table in after}, **as_version_100(before)}  # tables of later times are empty
    for table, last in LAST_NUMBERS.items():
        query = f"SELECT nextval(pg_get_serial_sequence('{table}', 'number'))"
        assert int(former.execute(query)) == last + 1, table


async def test_a_migration_of_the_former_version_that_is_interrupted_changes_nothing(former: TemporarySchema) -> None:
    before = former.dump()
    db = await asyncpg.connect(former.url)
    async with db.transaction():
        await db.execute("LOCK webwx_schema IN ACCESS SHARE MODE")
        migrating = asyncio.create_task(upgrade(former.url, SAID.append))
        process = await wait_for_statement(former, "%LOCK TABLE webwx_schema")
        former.execute(f"SELECT pg_terminate_backend({process})")
        with pytest.raises(StorageError, match="cannot be migrated"):
            await migrating
    await db.close()
    assert former.dump() == before
    assert await upgrade(former.url, SAID.append) == (FORMER, VERSION)


async def test_texts_in_the_private_use_area_are_the_same_after_the_migration(former: TemporarySchema) -> None:
    data = '"\ue0001 \ue0000 \ue000"'
    receipt = Receipt(message_id="\ue0001", client_id="1", chat=FRIEND, time=3)
    for table, column, value in (("timers", "payload", data), ("outbox", "receipt", receipt.to_json())):
        former.execute(f"UPDATE {table} SET {column} = convert_to('{value}', 'UTF8')")
    await upgrade(former.url, SAID.append)
    async with PostgresJournal(former.url) as journal:
        account = journal.account(UIN)
        assert [each.payload.decode() for each in await account.timers.find(TimerQuery(bot="bot"))] == [data]
        assert {each.receipt for each in await account.outbox.find(SendQuery())} == {receipt}


async def test_the_migration_of_the_former_version_reads_evidence_and_origins_once_for_all_links(
    former: TemporarySchema,
) -> None:
    links = 3_000
    former.execute(
        "INSERT INTO links (account, login, id, number, name, nickname, remark, digest, evidence, found, seen_at)"
        f" SELECT {UIN}, 1, '@' || n, n, '', '', '', 0, to_json(n)::text::bytea, to_json(n)::text::bytea, 0"
        f" FROM generate_series(1000, {999 + links}) n"
    )
    await upgrade(former.url, SAID.append)
    former.execute("SELECT pg_stat_force_next_flush()")
    read = (
        "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables"
        " WHERE schemaname = current_schema() AND relname IN ('evidence', 'origins')"
    )
    assert int(former.execute(read)) < 20 * links


async def test_the_former_version_is_not_migrated_while_its_processes_run(former: TemporarySchema) -> None:
    former.execute("UPDATE workers SET expires = now() + interval '1 hour'")
    with pytest.raises(StorageError, match="stop all of them"):
        await upgrade(former.url, SAID.append)
    former.execute("DELETE FROM workers; UPDATE consumers SET is_open = true")
    db = await asyncpg.connect(former.url)
    for locked in ("consumers WHERE is_open", "saved_logins"):
        await db.execute(f"SELECT pg_advisory_lock(lock) FROM {locked}")
        with pytest.raises(StorageError, match="stop all of them"):
            await upgrade(former.url, SAID.append)
        await db.execute("SELECT pg_advisory_unlock_all()")
    await db.close()
    assert version_in(former) == FORMER


async def test_an_older_version_than_the_former_one_is_refused_in_a_sentence(former: TemporarySchema) -> None:
    former.execute(f"UPDATE webwx_schema SET version = {FORMER - 1}")
    refusal = (
        rf"older webwx \(version {FORMER - 1}, this one migrates version {FORMER}\); run 'webwx storage migrate' of"
    )
    with pytest.raises(StorageError, match=refusal):
        await upgrade(former.url, SAID.append)
    with pytest.raises(StorageError, match=refusal):
        await wait_for_tables(former.url)


async def test_an_index_that_a_kill_has_left_invalid_is_built_again_and_nobody_waits(older: TemporarySchema) -> None:
    said: list[str] = []
    async with held_up(older):
        building = asyncio.create_task(upgrade(older.url, said.append))
        process = await wait_for_statement(older, "CREATE INDEX CONCURRENTLY login_names")
        older.execute(f"SET lock_timeout = '20s'; {NAMED.format('second')}")  # a writer does not wait for the index
        older.execute(f"SELECT pg_terminate_backend({process})")
        with pytest.raises(StorageError, match="cannot be migrated"):
            await building
        assert older.execute(VALID.format("login_names_opened")).strip() == "f"
        assert version_in(older) == VERSION

    said.clear()
    assert await upgrade(older.url, said.append) == (VERSION, NEXT)
    assert "The index login_names_opened was not completed, and is deleted." in said
    assert older.execute(VALID.format("login_names_opened")).strip() == "t"


async def test_a_process_waits_for_the_migration(older: TemporarySchema, caplog: pytest.LogCaptureFixture) -> None:
    waiting = asyncio.create_task(wait_for_tables(older.url))
    while "waits for the migration" not in caplog.text:  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)
    async with held_up(older):
        building = asyncio.create_task(upgrade(older.url, SAID.append))
        await wait_for_statement(older, "CREATE INDEX CONCURRENTLY login_names")
        assert not waiting.done()
    await building
    await waiting


async def test_two_migrations_at_once_are_one(older: TemporarySchema) -> None:
    done = await asyncio.gather(*(upgrade(older.url, SAID.append) for _ in range(2)))
    assert sorted(done) == [(VERSION, NEXT), (NEXT, NEXT)]


async def test_transactions_that_use_the_tables_in_another_order_end_as_without_a_migration(
    older: TemporarySchema,
) -> None:
    db = await asyncpg.connect(older.url)
    async with db.transaction():
        await db.execute("LOCK outbox IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(upgrade(older.url, SAID.append))
        await wait_for_statement(older, "%ALTER TABLE outbox")
        await db.execute("SET LOCAL lock_timeout = '20s'; LOCK accounts IN ROW EXCLUSIVE MODE")
    await db.close()
    assert await migrating == (VERSION, NEXT)
