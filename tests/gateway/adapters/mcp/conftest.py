"""An agent on an account of a gateway in this process, and the official client of the protocol, in both of its eras."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from mcp import Client

from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.gateway_account import GatewayServedAccount
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.served_account import ClientAccount
from webwx.gateway.adapters.mcp.server import make_server
from webwx.gateway.adapters.mcp.tool_table import TOOLS, call_tool
from webwx.gateway.adapters.permissions import ChatPermissions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.gateway.cluster_nodes import Node
    from tests.gateway.conftest import Running

    from webwx.gateway.adapters.mcp.served_account import ServedAccount
    from webwx.gateway.adapters.mcp.tool_table import ToolAnswer


class AgentHere:
    """An agent, its account's gateway, and what it has done."""

    def __init__(self, running: Running | Node, agent: Agent, audit: list[tuple[str, str, str]]) -> None:
        self.running = running
        self.world = running.world
        self.agent = agent
        self.client = agent.client
        self.audit = audit

    async def call(self, tool: str, **arguments: Any) -> ToolAnswer:
        """Call a tool."""
        return await call_tool(self.agent, TOOLS[tool], arguments)

    async def result(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that succeeds, and return its result."""
        answer = await self.call(tool, **arguments)
        assert not answer.is_error, answer.result
        return answer.result

    async def failure(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that fails, and return its failure."""
        answer = await self.call(tool, **arguments)
        assert answer.is_error, answer.result
        return answer.result

    async def hear(self, who: str, text: str) -> str:
        """Write as a person a text to the account, and return its id once it has arrived."""
        self.world.say(who, "me", text)
        return str(getattr((await self.running.until_text(text)).event, "message_id", ""))

    async def note(self, text: str) -> str:
        """Write as the owner a text into File Transfer Helper on the phone, and return its id once it has arrived."""
        self.world.say("me", "filehelper", text)
        return str(getattr((await self.running.until_text(text)).event, "message_id", ""))

    async def until_sent(self, key: str) -> None:
        """Wait until a send is confirmed, which the gateway makes by itself."""
        async with asyncio.timeout(50):
            while (await self.result("find_send", idempotency_key=key)).state != "sent":  # noqa: ASYNC110 - no event marks the end of a send
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def mcp(self, mode: Any = "auto") -> AsyncIterator[Client]:
        """Return the official client, connected to a server of the agent."""
        async with Client(make_server(lambda _: self.agent), mode=mode) as client:
            yield client


class MakeAgent(Protocol):
    def __call__(
        self, *, see: tuple[str | int, ...] = ..., write: tuple[str | int, ...] = ..., manage: bool = ...,
        sends: int = ..., files: Path | None = ..., at_gateway: bool = ...,
    ) -> AgentHere: ...  # fmt: skip


def agent_of(
    running: Running | Node,
    *,
    see: tuple[str | int, ...] = ("filehelper",),
    write: tuple[str | int, ...] = ("filehelper",),
    manage: bool = False,
    sends: int = 10,
    files: Path | None = None,
    at_gateway: bool = False,
) -> AgentHere:
    """Return an agent of account 1; with `at_gateway` its sends go through the queue of the gateway."""
    audit: list[tuple[str, str, str]] = []

    async def note(*entry: str) -> None:
        audit.append(entry)  # type: ignore[arg-type]

    options = AgentOptions(manage=manage, sends_in_ten_minutes=sends, sends_in_a_day=max(60, sends))
    clock = running.world.clock.now
    budget = SendBudget(running.gateway.records, "test", options, clock)
    account: ServedAccount = ClientAccount("default", running.port.account(1).client)
    if at_gateway:
        account = GatewayServedAccount(running.port, 1)
    permissions = ChatPermissions(see=see, write=write)
    return AgentHere(running, Agent(account, permissions, options, budget, note, clock, files=files), audit)


@pytest.fixture
def make_agent(online: Running) -> MakeAgent:
    """Return a function that makes an agent of account 1; names become numbers with `number_of`."""
    return partial(agent_of, online)


@pytest.fixture
def here(make_agent: MakeAgent) -> AgentHere:
    """An agent that reaches File Transfer Helper only."""
    return make_agent()


@pytest.fixture
def number_of(online: Running) -> Callable[[str], Any]:
    """Return the permanent number of a contact."""

    async def number_of(name: str) -> int:
        return (await online.port.account(1).client.who(name)).number

    return number_of
