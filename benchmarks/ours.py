"""Our client with its usual settings."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.case import Run
    from webwx import AsyncClient


@asynccontextmanager
async def logged_in(run: Run, **options: Any) -> AsyncIterator[AsyncClient]:
    """Return a logged-in client with default settings."""
    from webwx import AsyncClient

    async with AsyncClient(server=run.url, ca_file=run.ca_file, **options) as client:
        await client.login(show_qr=lambda _: None)
        yield client


async def listening(run: Run, work: asyncio.Task[None]) -> None:
    """Return once a poll is held, after the client's work at the start of listening; errors of it are raised."""
    while not run.ask_server("tell")["held"]:
        await asyncio.wait((work,), timeout=0.01)
        if work.done():
            await work
            raise AssertionError("The client has ended before it listened.")
