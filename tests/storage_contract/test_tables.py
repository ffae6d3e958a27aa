"""The port between the shared tables and the engines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.storage_contract.engines import ENGINES
from tests.storage_contract.shared_tables import (
    ADD,
    BYTES,
    KEYS,
    NAMES,
    OF_KEY,
    SAMPLES,
    TOTAL,
    Named,
    Total,
    tables_in_database,
    tables_in_file,
)

from webwx.errors import StorageError
from webwx.storage.engine.port import Conditions, Select
from webwx.storage.postgres.tables import PostgresTables
from webwx.storage.refusals import ChangeRefused
from webwx.storage.tables.consumers import CRASHES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.storage_contract.shared_tables import TablesOf

    from webwx.storage.engine.port import Statements, Tables


@pytest.fixture(params=ENGINES)
async def tables_of(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TablesOf]:
    opened = tables_in_file(tmp_path / "me.journal") if request.param == "sqlite" else tables_in_database()
    async with opened as tables_of:
        yield tables_of


@pytest.fixture
def tables(tables_of: TablesOf) -> Tables:
    return tables_of(7)


async def keys(tables: Tables) -> list[str]:
    return [row.key for row in await tables.read(lambda db: db.all(KEYS))]


async def test_inserted_rows_have_growing_numbers(tables: Tables) -> None:
    first = await tables.insert(ADD, "a", 1.0)
    second = await tables.insert(ADD, "b", 1.0)
    assert 0 < first < second
    assert await keys(tables) == ["a", "b"]


async def test_row_that_exists_is_not_inserted_and_has_no_number(tables: Tables) -> None:
    await tables.insert(ADD, "a", 1.0)
    assert await tables.insert(ADD, "a", 2.0) == 0
    assert await tables.transaction(lambda db: db.insert(ADD, "a", 3.0)) == 0
    found = await tables.read(lambda db: db.one(OF_KEY, "a"))
    assert found is not None
    assert found.time == 1.0


async def test_each_account_has_its_own_rows(tables_of: TablesOf) -> None:
    one, other = tables_of(7), tables_of(8)
    await one.insert(ADD, "a", 1.0)
    await other.insert(ADD, "a", 1.0)
    await other.insert(ADD, "b", 1.0)
    assert await other.change("DELETE FROM samples WHERE account = $0 AND key = $1", "a") == 1
    assert (await keys(one), await keys(other)) == (["a"], ["b"])


async def test_changed_rows_are_counted(tables: Tables) -> None:
    for key in "abc":
        await tables.insert(ADD, key, 1.0)
    done = "UPDATE samples SET is_done = true WHERE account = $0 AND (key = $1 OR key = $2) AND NOT is_done"
    assert await tables.change(done, "a", "b") == 2
    assert await tables.change(done, "a", "b") == 0
    assert await tables.change(done, "b", "c", by="any") == 1
    assert await tables.change("DELETE FROM samples WHERE account = $0 AND is_done", by="unfenced") == 3


async def test_row_is_inserted_or_replaced_in_one_statement(tables_of: TablesOf) -> None:
    tables = tables_of(0)
    put = (
        "INSERT INTO sample_names (id, version) VALUES ($1, 1)"
        " ON CONFLICT (id) DO UPDATE SET version = sample_names.version + 1"
    )
    assert [await tables.change(put, "a"), await tables.change(put, "a")] == [1, 1]
    assert await tables.change("DELETE FROM sample_names WHERE id = $1 AND version = $2", "a", 2) == 1


async def test_condition_on_the_row_of_a_change_is_checked_in_brackets(tables: Tables) -> None:
    await tables.insert(ADD, "a", 1.0)
    assert await tables.change("DELETE FROM samples WHERE account = $0 AND key = 'x' OR key = 'y'") == 0
    assert await keys(tables) == ["a"]


async def test_values_come_back_in_the_types_of_their_fields(tables: Tables) -> None:
    number = await tables.insert(ADD, "a", 1_764_012_345.123456789)
    row = await tables.read(lambda db: db.one(OF_KEY, "a"))
    assert row is not None
    assert tuple(row) == (number, "a", 1_764_012_345.123456789, None, False)
    assert type(row.is_done) is bool
    assert await tables.read(lambda db: db.all(OF_KEY, "a")) == [row]


@pytest.mark.parametrize("time", [0.0, 1 / 3, 5e-324, 1.7976931348623157e308, -2.5, 1_764_012_345.6789012])
async def test_every_digit_of_a_time_is_stored_and_read(tables: Tables, time: float) -> None:
    await tables.insert(ADD, "a", time)
    await tables.change("UPDATE samples SET later = $1 WHERE account = $0", time)
    one = await tables.read(lambda db: db.one(OF_KEY, "a"))
    assert one is not None
    assert (one.time, one.later) == (time, time)
    assert await tables.read(lambda db: db.all(OF_KEY, "a")) == [one]


async def test_rows_with_bytes_are_read(tables: Tables) -> None:
    await tables.insert(ADD, "a", 1.0)
    await tables.insert(ADD, "b", 1.0)
    await tables.change("UPDATE samples SET content = $1 WHERE account = $0 AND key = 'b'", b"\x00\xff{}")
    rows = await tables.read(lambda db: db.all(BYTES))
    assert rows == [("a", False, None), ("b", False, b"\x00\xff{}")]
    assert type(rows[0].is_done) is bool


async def test_query_without_rows_has_no_result(tables: Tables) -> None:
    assert await tables.read(lambda db: db.all(OF_KEY, "a")) == []
    assert await tables.read(lambda db: db.one(OF_KEY, "a")) is None


async def test_numbers_of_rows_are_counted_by_a_query(tables: Tables) -> None:
    await tables.insert(ADD, "a", 1.0)
    assert await tables.read(lambda db: db.one(TOTAL)) == (1,)


@pytest.mark.parametrize("text", ["", "it's 茶 \ue000", "a\0b", "\ud83d\ude00 joined", "a\ud83c alone", '"\\'])
async def test_any_text_is_stored_and_found(tables: Tables, text: str) -> None:
    await tables.insert(ADD, text, 1.0)
    assert await tables.insert(ADD, text, 1.0) == 0
    stored = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    row = await tables.read(lambda db: db.one(OF_KEY, text))
    assert row is not None
    assert row.key == stored
    assert await keys(tables) == [stored]


async def test_rows_with_one_of_several_values_are_found(tables: Tables) -> None:
    numbers = [await tables.insert(ADD, key, 1.0) for key in "abc\u8336"]
    of_keys = Select(Named, "SELECT key FROM samples WHERE account = $0 AND key = ANY ($1::varchar[]) ORDER BY number")
    of_numbers = Select(
        Named, "SELECT key FROM samples WHERE account = $0 AND number = ANY ($1::bigint[]) ORDER BY number"
    )
    assert await tables.read(lambda db: db.all(of_keys, ["\u8336", "a", "\ud83c"])) == [("a",), ("\u8336",)]
    assert await tables.read(lambda db: db.all(of_keys, [])) == []
    assert await tables.read(lambda db: db.all(of_numbers, numbers[1:3])) == [("b",), ("c",)]


async def test_many_rows_are_inserted_at_once(tables_of: TablesOf) -> None:
    rows = [(each, f"key {each}", each / 8, None, each % 2 > 0, bytes([each % 256])) for each in range(1, 1_001)]
    odd = (2_000, "a\ud83c alone", 0.1, 0.2, True, None)
    await tables_of(7).transaction(lambda db: db.insert_all(SAMPLES, [*rows, odd]))
    await tables_of(7).transaction(lambda db: db.insert_all(SAMPLES, []))
    await tables_of(8).transaction(lambda db: db.insert_all(SAMPLES, [(3_000, *odd[1:])]))
    assert await keys(tables_of(7)) == [*(key for _, key, *_ in rows), "a\ufffd alone"]
    assert await tables_of(7).read(lambda db: db.one(OF_KEY, "key 5")) == (5, "key 5", 0.625, None, True)
    assert await tables_of(8).read(lambda db: db.all(BYTES)) == [("a\ufffd alone", True, None)]


async def test_many_rows_of_no_account_are_inserted_at_once(tables_of: TablesOf) -> None:
    total = Select(Total, "SELECT sum(version)::bigint AS total FROM sample_names WHERE id <> $1")
    await tables_of(0).transaction(lambda db: db.insert_all(NAMES, [("a", 1), ("b", 2), ("c", 4)]))
    assert await tables_of(0).read(lambda db: db.one(total, "b")) == (5,)


async def test_many_rows_of_a_consumer_are_inserted_at_once(tables: Tables) -> None:
    count = Select(Total, "SELECT count(*) AS total FROM crashes WHERE consumer = $1 AND crashes = 2")
    if isinstance(tables, PostgresTables):  # a row refers to its consumer there
        await tables.change(
            "INSERT INTO consumers (consumer, account, name, acked, started, lock)"
            " OVERRIDING SYSTEM VALUE VALUES (3, $0, 'bot', 0, 0, 1)"
        )
    await tables.transaction(lambda db: db.insert_all(CRASHES, [(1, 2), (5, 2), (6, 1)], owner=3))
    assert await tables.read(lambda db: db.one(count, 3)) == (2,)


async def test_rows_with_one_of_several_keys_are_found(tables: Tables) -> None:
    for key in "abc":
        await tables.insert(ADD, key, 1.0)
    of_keys = Select(
        Named,
        "SELECT key FROM samples WHERE account = $0 AND webwx_key(key) = ANY ($1::varchar[]) ORDER BY number",
    )
    assert await tables.read(lambda db: db.all(of_keys, ["c", "a", "x"])) == [("a",), ("c",)]
    assert await tables.read(lambda db: db.all(of_keys, [])) == []


async def test_rows_are_looked_up_for_each_row_of_another_table(tables_of: TablesOf) -> None:
    for account in (7, 8):
        for key in "abc":
            await tables_of(account).insert(ADD, key, 1.0)
    pairs = Select(
        Named,
        "SELECT b.key FROM samples a LOOKUP JOIN samples b ON (b.account = a.account AND b.number > a.number)"
        " WHERE a.account = $0 AND a.key = ANY ($1::varchar[]) ORDER BY a.number, b.number",
    )
    assert await tables_of(7).read(lambda db: db.all(pairs, ["a", "b"])) == [("b",), ("c",), ("c",)]


async def test_rows_are_looked_up_for_each_of_several_values(tables: Tables) -> None:
    for key in "abc":
        await tables.insert(ADD, key, 1.0)
    found = Select(
        Named,
        "SELECT s.key FROM EACH ($1::varchar[]) k LOOKUP JOIN samples s ON (s.account = $0 AND s.key = k.value)"
        " ORDER BY s.number",
    )
    assert await tables.read(lambda db: db.all(found, ["c", "x", "a"])) == [("a",), ("c",)]
    assert await tables.read(lambda db: db.all(found, [])) == []


async def test_computation_has_the_result_that_is_stored(tables: Tables) -> None:
    async def store(db: Statements) -> int:
        return await db.insert(ADD, await db.aside(lambda: "computed"), 1.0)

    async def fail(db: Statements) -> None:
        await db.insert(ADD, "other", 1.0)
        await db.aside(lambda: [0].index(1))

    assert await tables.transaction(store)
    with pytest.raises(ValueError, match="is not in list"):
        await tables.transaction(fail)
    assert await keys(tables) == ["computed"]


async def test_conditions_are_put_together(tables: Tables) -> None:
    for key in "abc":
        await tables.insert(ADD, key, float(ord(key)))
    matching = Conditions("account = $0 AND time >= {}", 98.0)
    matching.also("key <> {}", "c")
    matching.then("ORDER BY number DESC LIMIT {}", 2)
    found = Select(Named, f"SELECT key FROM samples WHERE {matching.text}")
    assert await tables.read(lambda db: db.all(found, *matching.values)) == [("b",)]


async def test_operation_is_one_transaction(tables: Tables) -> None:
    async def add_two(db: Statements) -> int:
        await db.insert(ADD, "a", 1.0)
        await db.insert(ADD, "b", 1.0)
        return len(await db.all(KEYS))

    async def fail(db: Statements) -> None:
        await db.change("DELETE FROM samples WHERE account = $0")
        assert await db.all(KEYS) == []
        raise LookupError("as expected")

    assert await tables.transaction(add_two) == 2
    with pytest.raises(LookupError, match="as expected"):
        await tables.transaction(fail)
    assert await keys(tables) == ["a", "b"]


@pytest.mark.parametrize("by", ["owner", "any"])
async def test_operations_of_many_tasks_do_not_disturb_each_other(tables: Tables, by: str) -> None:
    async def add_unless_known(db: Statements) -> bool:
        if await db.one(OF_KEY, "a") is not None:
            return False
        return await db.insert(ADD, "a", 1.0) > 0

    async def add() -> bool:
        return await tables.transaction(add_unless_known, by="owner" if by == "owner" else "any")

    assert sum(await asyncio.gather(*(add() for _ in range(10)))) == 1


async def test_refused_change_raises_and_changes_nothing(tables: Tables) -> None:
    await tables.insert(ADD, "a", 1.0)
    again = "INSERT INTO samples (account, key) VALUES ($0, $1)"
    with pytest.raises(ChangeRefused):
        await tables.insert(again, "a")
    with pytest.raises(ChangeRefused):
        await tables.transaction(lambda db: db.change(again, "a"))
    assert await tables.insert(again, "b") > 0


async def test_closed_journal_raises_a_storage_error(tmp_path: Path) -> None:
    async with tables_in_file(tmp_path / "me.journal") as tables_of:
        pass
    with pytest.raises(StorageError, match="closed"):
        await tables_of(1).change("DELETE FROM samples WHERE account = $0")
