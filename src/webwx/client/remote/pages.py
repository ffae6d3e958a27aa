"""Results of the gateway that come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
C = TypeVar("C")

PAGE = 1000
"""Maximum number of results of one request."""


async def read_pages(
    read: Callable[[C | None, int], Awaitable[tuple[Sequence[T], C | None]]],
    *,
    begin: C | None = None,
    limit: int | None = None,
) -> list[T]:
    """
    Return results in as many pages as necessary.

    Args:
        read: Reads a page from a position, with a maximum number of results; returns it with the position of the next
            page, or None after the last page.
        begin: Position of the first page.
        limit: Maximum number of results; None for all.
    """
    found: list[T] = []
    position = begin
    while limit is None or len(found) < limit:
        page, position = await read(position, PAGE if limit is None else min(limit - len(found), PAGE))
        found += page
        if position is None:
            break
    return found
