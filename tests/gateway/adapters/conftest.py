"""A gateway with the adapter of the documentation, and programs that use it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.adapters.toy import build, importable

from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.serve import listen, listen_on, serve_started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.adapters.registry import AdapterEntry


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[dict[str, AdapterEntry]]:
    """The registry with the adapter of the documentation."""
    folder = tmp_path / "toy"
    folder.mkdir()
    with importable(folder):
        yield build(folder)


@pytest.fixture
async def noted(start_gateway: StartGateway, toy: dict[str, AdapterEntry]) -> AsyncIterator[Running]:
    """A gateway with this adapter and one account that is logged in."""
    async with start_gateway(adapters=toy) as running:
        await running.log_in()
        yield running


async def created(running: Running, **fields: Any) -> dict[str, Any]:
    """Create a program, and return it with its token."""
    body = {"name": "notebook", "adapter": "note", "account": 1, **fields}
    async with running.client("admin") as client:
        answer = await client.post("/api/v1/programs", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@contextlib.asynccontextmanager
async def port_of(running: Running, adapter: str = "") -> AsyncIterator[str]:
    """Serve a gateway that has been started; yield host and port of it, or of the own listener of an adapter."""
    ready = asyncio.Event()
    config = GatewayConfig(listen=ListenTable(port=0))
    listener = listen(config)
    own = {adapter: listen_on(config, "127.0.0.1", 0)} if adapter else {}
    with contextlib.ExitStack() as opened:
        for each in (listener, *own.values()):
            opened.enter_context(each.socket)
        server = asyncio.ensure_future(serve_started(running.gateway, listener, ready.set, own))
        try:
            await ready.wait()
            yield own.get(adapter, listener).url.removeprefix("http://")
        finally:
            server.cancel()
            await asyncio.wait([server])
