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
        return _value(await self._tables.read(lambda db: db.one(_OF_NAME, name)))

    async def change(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Replace a value by the result of a function of it, in one transaction, and return the new value."""

        async def store(db: Statements) -> bytes:
            state = change(_value(await db.one(_OF_NAME, name)))
            await db.change(_PUT, name, state)
            return state

        return await self._tables.transaction(store)


def _value(row: _StateRow | None) -> bytes:
    return b"" if row is None else row.state
