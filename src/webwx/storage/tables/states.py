"""Small values of an account by their names, such as the state of its rate limiter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from webwx.storage.engine.port import Select, StoredTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.engine.port import Statements, Tables


class _StateRow(NamedTuple):
    state: bytes


OPENING = "opening of consumer "
"""
Begin of the names under which a file has the token of each consumer's opening.

The token belongs to marks beside the file, so a copy does not have it.
"""

STATES = StoredTable(
    name="states",
    columns=("name", "state"),
    order="name",
    copied_if=f"name NOT LIKE '{OPENING}%'",
    ddl="""
CREATE TABLE states (
    account bigint NOT NULL,
    name text NOT NULL,                         -- owner: the rate limiter, a bot, ...
    state bytea NOT NULL,
    PRIMARY KEY (account, name)
);
""",
)

_DELETE = "DELETE FROM states WHERE account = $0 AND name = $1"

_OF_NAME = Select(_StateRow, "SELECT state FROM states WHERE account = $0 AND name = $1")

_PUT = (
    "INSERT INTO states (account, name, state) VALUES ($0, $1, $2)"
    " ON CONFLICT (account, name) DO UPDATE SET state = excluded.state"
)


class NamedStates:
    """
    An account's small values.

    Args:
        tables: The account's tables.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __repr__(self) -> str:
        return "NamedStates(***)"

    async def get(self, name: str) -> bytes:
        """Return a value; empty if the name is unknown."""
        return await self._tables.read(lambda db: read_state(db, name))

    async def change(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Replace a value by the result of a function of it, in one transaction, and return the new value."""

        async def store(db: Statements) -> bytes:
            state = change(await read_state(db, name))
            await put_state(db, name, state)
            return state

        return await self._tables.transaction(store)


async def read_state(db: Statements, name: str) -> bytes:
    """Return a value; empty if the name is unknown."""
    row = await db.one(_OF_NAME, name)
    return b"" if row is None else row.state


async def put_state(db: Statements, name: str, state: bytes) -> None:
    """Store a value."""
    await db.change(_PUT, name, state)


async def delete_state(db: Statements, name: str) -> None:
    """Delete a value."""
    await db.change(_DELETE, name)
