"""Listeners of adapters: what arrives there is for the adapter only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.adapters.conftest import created, port_of

from webwx.gateway.adapters.listeners import AdapterListeners

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send
    from tests.gateway.conftest import Running


async def paths_of(scope: dict[str, Any]) -> tuple[str, bytes]:
    """Return the paths of a request as the gateway sees it, if the listener on port 1 is that of `note`."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    listeners = AdapterListeners(app)
    listeners.add("note", 1, "http://127.0.0.1:1")
    no_channel: Any = None
    given: Any = scope
    await listeners(given, no_channel, no_channel)
    return seen[0]["path"], seen[0]["raw_path"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("server", "prefix"),
    [(("127.0.0.1", 1), "/adapters/note"), (("127.0.0.1", 2), ""), (("/socket", None), ""), (None, "")],
)
async def test_a_request_at_the_listener_of_an_adapter_gets_its_path(
    kind: str, server: tuple[str, int | None] | None, prefix: str
) -> None:
    scope = {"type": kind, "server": server, "path": "/a b", "raw_path": b"/a%20b"}
    assert await paths_of(scope) == (f"{prefix}/a b", f"{prefix}/a%20b".encode())


async def test_the_address_of_a_listener_is_shown_with_its_adapter(noted: Running) -> None:
    await created(noted)
    async with noted.client("adapters") as owner:
        assert (await owner.get("/api/v1/adapters")).json()["adapters"][0]["url"] == ""
        async with port_of(noted, "note") as address:
            [adapter] = (await owner.get("/api/v1/adapters")).json()["adapters"]
            assert adapter["url"] == f"http://{address}"
