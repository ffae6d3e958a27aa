"""The fallback over the API: what the configuration names, and what came of a test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from webwx.gateway.config import FallbackTable, GatewayConfig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway


async def test_every_channel_is_tested_once(start_gateway: StartGateway, tmp_path: Path) -> None:
    got = tmp_path / "got.txt"
    program = f"import sys; open({str(got)!r}, 'w').write(sys.stdin.read())"
    table = FallbackTable(
        command=(sys.executable, "-c", program), webhook="http://127.0.0.1:1024/", webhook_allow_private=True
    )
    async with start_gateway(GatewayConfig(fallback=table)) as running, running.client("admin") as client:
        assert (await client.get("/api/v1/fallback")).json() == {"channels": ["command", "webhook"]}
        [command, webhook] = (await client.post("/api/v1/fallback/test")).json()["results"]
    assert (command["channel"], command["error"], command["error_code"]) == ("command", "", "")
    assert (webhook["channel"], webhook["error_code"]) == ("webhook", "connect-failed")
    assert "webhook" in webhook["error"]
    assert "test" in got.read_text()


async def test_without_a_channel_there_is_nothing_to_test(running: Running) -> None:
    async with running.client("admin") as client:
        assert (await client.get("/api/v1/fallback")).json() == {"channels": []}
        assert (await client.post("/api/v1/fallback/test")).json() == {"results": []}
    async with running.client("receivers") as client:
        assert (await client.post("/api/v1/fallback/test")).status_code == 403
