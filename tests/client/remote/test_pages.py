"""Results in pages: how many are requested, and where reading ends."""

from __future__ import annotations

import pytest

from webwx.client.remote.pages import PAGE, read_pages


class Numbers:
    """The numbers below a count, in pages of any size."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.limits: list[int] = []

    async def read(self, begin: int | None, limit: int) -> tuple[list[int], int | None]:
        self.limits.append(limit)
        end = min((begin or 0) + limit, self._count)
        return list(range(begin or 0, end)), end if end < self._count else None


async def test_all_pages_are_read_without_a_limit() -> None:
    numbers = Numbers(2 * PAGE + 1)
    assert await read_pages(numbers.read) == list(range(2 * PAGE + 1))
    assert numbers.limits == [PAGE] * 3


@pytest.mark.parametrize(
    ("limit", "limits"), [(0, []), (PAGE - 1, [PAGE - 1]), (PAGE + 5, [PAGE, 5]), (9 * PAGE, [PAGE] * 3)]
)
async def test_no_more_than_the_limit_is_requested(limit: int, limits: list[int]) -> None:
    numbers = Numbers(2 * PAGE + 1)
    assert await read_pages(numbers.read, limit=limit) == list(range(min(limit, 2 * PAGE + 1)))
    assert numbers.limits == limits


async def test_reading_begins_at_a_position() -> None:
    assert await read_pages(Numbers(5).read, begin=3) == [3, 4]
