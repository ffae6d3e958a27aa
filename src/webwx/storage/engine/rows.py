"""Statements for all rows that an account has in a table, as they follow from the table's description."""

# ruff: noqa: S608 - only names and expressions of tables are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.storage.engine.port import StoredTable


def of_account(table: StoredTable) -> str:
    """Return the condition for the rows of the account `$0`."""
    if table.of == "account":
        return "account = $0"
    return f"{table.of} IN (SELECT {table.of} FROM {table.of}s WHERE account = $0)"


def copied_columns(table: StoredTable) -> tuple[str, ...]:
    """Return the columns of a copied row: those of the table, after the login or the consumer that owns it."""
    return table.columns if table.of == "account" else (table.of, *table.columns)


def select_copied(table: StoredTable) -> str:
    """Return the query for the rows of the account `$0` that are copied, in their order."""
    columns = ", ".join(table.copied_as.get(column, column) for column in copied_columns(table))
    condition = " AND ".join(filter(None, (of_account(table), table.copied_if)))
    order = ", ".join(filter(None, ("" if table.of == "account" else table.of, table.order)))
    return f"SELECT {columns} FROM {table.name} WHERE {condition} ORDER BY {order}"


def insert_copied(table: StoredTable) -> str:
    """Return the statement that inserts a copied row, whose values are `$1` and the following ones."""
    columns = list(copied_columns(table))
    values = [f"${place}" for place in range(1, len(columns) + 1)]
    if table.of == "account":
        columns, values = ["account", *columns], ["$0", *values]
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(values)})"
