"""The parts of the port that no engine has."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webwx.storage.engine.port import Ageing, Conditions, StoredTable, drive


async def answer(value: int) -> int:
    return value


async def test_operation_that_waits_for_nothing_is_driven_to_its_result() -> None:
    async def add() -> int:
        return await answer(1) + await answer(2)

    assert drive(add()) == 3


async def test_error_of_an_operation_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("as expected")

    with pytest.raises(LookupError, match="as expected"):
        drive(fail())


async def test_operation_that_waits_for_something_else_is_refused() -> None:
    has_ended = False

    async def wait() -> None:
        nonlocal has_ended
        try:
            await asyncio.sleep(0)
        finally:
            has_ended = True

    with pytest.raises(RuntimeError, match="may wait for nothing but its statements"):
        drive(wait())
    assert has_ended


def test_conditions_number_their_values() -> None:
    matching = Conditions("account = $0 AND a = {}", 1)
    matching.also("b BETWEEN {} AND {}", 2, 3)
    matching.then("ORDER BY c LIMIT {}", 4)
    assert matching.text == "account = $0 AND a = $1 AND b BETWEEN $2 AND $3 ORDER BY c LIMIT $4"
    assert matching.values == [1, 2, 3, 4]


_KEYED = """
CREATE TABLE notes (
    account bigint NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (account, name)
);
"""


@pytest.mark.parametrize(
    ("table", "remedy"),
    [
        ({"ddl": _KEYED}, r"notes does not have the columns of its `order` \(number\): name those of its key there"),
        ({"ddl": _KEYED.replace("PRIMARY KEY", "UNIQUE"), "order": "name"}, "notes has no key: give it the column"),
        ({"ddl": _KEYED, "order": "name", "of": "consumer"}, "notes needs the column consumer"),
        ({"ddl": _KEYED, "order": "name", "ages": Ageing(time="1")}, "notes needs the column chat"),
    ],
)
def test_table_without_what_its_description_needs_is_refused_with_what_it_lacks(
    table: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ValueError, match=remedy):
        StoredTable(name="notes", columns=("name",), **table)
