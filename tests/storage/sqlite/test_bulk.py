"""Many rows in one statement."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webwx.storage.sqlite import bulk as rows
from webwx.storage.sqlite.bulk import as_list, insert, select, select_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Remembering(sqlite3.Connection):
    """A connection that records the values of the last run of each statement, which SQLite keeps bound."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(path, **options)
        self.bound: dict[str, Sequence[Any]] = {}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:  # type: ignore[override]  # as it is called
        """Run a statement."""
        self.bound[sql] = values
        return super().execute(sql, values)


@pytest.fixture
def db() -> Iterator[Remembering]:
    db = sqlite3.connect(":memory:", factory=Remembering)
    db.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, text TEXT)")
    yield db
    db.close()


ROWS = [(number, f"text {number}") for number in range(1_001)]


def test_any_number_of_rows_is_written_and_read(db: sqlite3.Connection) -> None:
    insert(db, "t", ROWS)

    assert [tuple(row) for row in select(db, ("number", "text"), "FROM t ORDER BY number", ())] == ROWS


def test_an_old_sqlite_gets_fewer_rows_per_statement(db: sqlite3.Connection) -> None:
    db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 7)
    insert(db, "t", ROWS)

    assert db.execute("SELECT count(*) FROM t").fetchall() == [(1_001,)]


def test_a_hundred_rows_are_one_statement(db: sqlite3.Connection) -> None:
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    insert(db, "t", ROWS[:100])

    assert len([each for each in statements if each.startswith("INSERT")]) == 1


def test_any_number_of_rows_is_written_by_a_few_statements(db: Remembering) -> None:
    db.bound.clear()
    for count in range(300):
        db.execute("DELETE FROM t")
        insert(db, "t", ROWS[:count])
        assert len(select(db, ("number",), "FROM t", ())) == count

    assert len([each for each in db.bound if each.startswith("INSERT")]) <= 9


def test_no_statement_keeps_written_values(db: Remembering) -> None:
    for count in (1, 3, 100):
        insert(db, "t", [(number, "x" * 200_000) for number in range(count)], verb="INSERT OR REPLACE")

    assert len(select(db, ("number",), "FROM t WHERE length(text) = 200000", ())) == 100
    kept = [each for values in db.bound.values() for each in values if isinstance(each, str)]
    assert sum(map(len, kept)) < 1_000


def test_without_rows_no_statement_runs(db: sqlite3.Connection) -> None:
    insert(db, "t", [])

    assert select(db, ("number",), "FROM t", ()) == []


def test_existing_rows_can_be_ignored(db: sqlite3.Connection) -> None:
    insert(db, "t", [(1, "old")])
    insert(db, "t", [(1, "new"), (2, "new")], verb="INSERT OR IGNORE")

    assert select(db, ("number", "text"), "FROM t", ()) == [[1, "old"], [2, "new"]]


def test_a_value_that_all_rows_share_is_bound_once(db: Remembering) -> None:
    insert(db, "t (text, number)", [(number,) for number in range(300)], shared=("same",))

    assert select(db, ("DISTINCT text", "count(*)"), "FROM t", ()) == [["same", 300]]
    assert [len(values) for sql, values in db.bound.items() if sql.startswith("INSERT")] == [1 + 256 + 1, 1 + 64 + 1]


def test_any_text_and_number_is_read_unchanged(db: sqlite3.Connection) -> None:
    rows = [[2**63 - 1, '你"好\\\n\x01😀'], [-(2**63), "a\x00b"]]
    insert(db, "t", rows)

    assert sorted(rows) == sorted(select(db, ("number", "text"), "FROM t", ()))


def test_a_text_in_utf8_is_stored_as_text(db: sqlite3.Connection) -> None:
    text = '你"好\\\x01😀'
    insert(db, "t (number, text)", [(text.encode(),)], shared=(1,), utf8=0)

    assert db.execute("SELECT text, typeof(text) FROM t").fetchall() == [(text, "text")]


def test_numbers_keep_their_order(db: sqlite3.Connection) -> None:
    insert(db, "t", ROWS)

    assert select_numbers(db, "SELECT number FROM t ORDER BY number DESC LIMIT ?", (3,)) == [1000, 999, 998]


def test_a_list_of_values_is_read_as_rows(db: sqlite3.Connection) -> None:
    values = db.execute("SELECT value FROM json_each(?)", (as_list([1, "二", -3]),)).fetchall()

    assert values == [(1,), ("二",), (-3,)]


def test_no_statement_has_numbered_parameters() -> None:
    """
    Python 3.12.0 to 3.12.3 take `?1` for a named parameter and warn of each such statement, which fails where warnings
    are errors.
    """
    for module in Path(rows.__file__).parent.glob("*.py"):
        assert not re.findall(r"\?\d", module.read_text(encoding="utf-8")), module.name
