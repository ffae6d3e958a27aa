"""The complete gateway: start, stop, and secrets that never are in a log or an answer."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import Running

from webwx.errors import StorageError
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig
from webwx.gateway.console import FILES
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import StartGateway


async def test_no_key_is_in_a_log_or_an_error(online: Running, caplog: pytest.LogCaptureFixture) -> None:
    text = await online.key("send")
    secret = text.rpartition("_")[2]
    with caplog.at_level(logging.DEBUG):
        async with online.anonymous(headers={"Authorization": f"Bearer {text}"}) as client:
            bodies = [
                (await client.post("/api/v1/notify", content="hello")).text,
                (await client.get("/api/v1/accounts")).text,
                (await client.get("/absent")).text,
            ]
        async with online.anonymous(headers={"Authorization": f"Bearer {text}x"}) as client:
            bodies.append((await client.get("/api/v1/accounts")).text)

    assert secret not in caplog.text
    assert all(secret not in body for body in bodies)


async def test_a_closed_gateway_has_closed_its_records(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        gateway = running.gateway
        was_closing = gateway.streams.is_closing
        gateway.begin_closing()
        assert (was_closing, gateway.streams.is_closing) == (False, True)
    with pytest.raises(StorageError):
        await gateway.keys.find()


async def test_gateways_of_one_process_have_different_keys_and_audit_logs(running: Running, tmp_path: Path) -> None:
    records = open_records("memory:")
    other = Running(Gateway(GatewayConfig(), records, running.port, tmp_path), running.port, running.world, tmp_path)
    statuses, actions = [], []
    for named, made in ((running, "first"), (other, "second")):
        async with named.client("admin") as client:
            await client.post("/api/v1/keys", json={"name": made, "scopes": ["read"]})
            for asked in (running, other):
                async with asked.anonymous(headers=dict(client.headers)) as stranger:
                    statuses.append((await stranger.get("/api/v1/accounts")).status_code)
            entries = (await client.get("/api/v1/audit")).json()
            actions.append([entry["action"] for entry in entries["entries"]])
    await records.close()

    assert statuses == [200, 401, 401, 200]
    assert actions == [["key.create"], ["key.create"]]


def test_the_client_for_outgoing_requests_is_imported_when_it_is_needed() -> None:
    program = "import sys; import webwx.gateway.app, webwx.gateway.serve; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_every_answer_names_its_charset_at_most_once(online: Running) -> None:
    paths = [
        "/", *(f"/console/{name}" for name in FILES), "/docs", "/docs/errors", "/docs/errors/not-found",
        "/openapi.json", "/healthz", "/readyz", "/metrics", "/absent", "/api/v1/accounts", "/api/v1/absent",
        "/hooks/json/absent",
    ]  # fmt: skip
    async with online.client("admin") as client:
        types = {path: (await client.get(path)).headers.get("content-type", "") for path in paths}
    assert {path: kind for path, kind in types.items() if kind.count("charset") > 1} == {}
    assert [kind for kind in types.values() if kind.startswith("text/") and "charset=utf-8" not in kind] == []
