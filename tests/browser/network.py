"""What tests of both pages do with the network between a page and its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Route

PATIENCE = 60_000
"""Time limit in milliseconds for what must appear."""


async def lose_answer(route: Route) -> None:
    """Deliver a request that changes something, and break the connection before its answer; others are answered."""
    if route.request.method == "GET":
        await route.continue_()
        return
    await route.fetch()
    await route.abort()
