"""MCP at the gateway with the official TypeScript clients, unmodified, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.conftest import counted, online, running, start_gateway  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.conftest import Running

pytestmark = [pytest.mark.verify, pytest.mark.timeout(200)]

HERE = Path(__file__).with_name("mcp")


@pytest.mark.parametrize("kind", ["sdk", "client", "modern"])
async def test_a_typescript_client_reads_sends_and_is_refused(
    online: Running,  # noqa: F811 - a fixture
    npm_modules: Callable[[str], Path],
    kind: str,
) -> None:
    folder = npm_modules("mcp")
    shutil.copy(HERE / "agent.mjs", folder / "agent.mjs")
    token = str((await created(online, adapter="mcp"))["token"])
    async with port_of(online) as place:
        process = await asyncio.create_subprocess_exec(
            "node", "agent.mjs", kind, f"http://{place}/mcp", token, cwd=folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        printed, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
    assert json.loads(printed) == {
        "tools": 19,
        "state": "online",
        "sent": "sent",
        "once": True,
        "refused": [True, "not_allowed"],
        "resources": 3,
        "read": "online",
        "prompts": 4,
    }
    assert [each.text for each in online.world.inbox("me")["filehelper"].messages] == [f"from {kind}"]
