"""The parts of the port that no engine has."""

from __future__ import annotations

import asyncio

import pytest

from webwx.storage.engine.port import Conditions, drive


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
