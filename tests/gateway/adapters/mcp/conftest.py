"""An agent on an account of a gateway in this process, and the official client of the protocol, in both of its eras."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from mcp import Client

from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.served_account import ClientAccount
from webwx.gateway.adapters.mcp.server import make_server
from webwx.gateway.adapters.mcp.tool_table import TOOLS, call_tool
from webwx.gateway.adapters.permissions import ChatPermissions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.gateway.conftest import Running

    from webwx.gateway.adapters.mcp.tool_table import ToolAnswer


class AgentHere:
    """An agent, its account's gateway, and what it has done."""

    def __init__(self, running: Running, agent: Agent, audit: list[tuple[str, str, str]]) -> None:
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

    @contextlib.asynccontextmanager
    async def mcp(self, mode: Any = "auto") -> AsyncIterator[Client]:
        """Return the official client, connected to a server of the agent."""
        async with Client(make_server(lambda _: self.agent), mode=mode) as client:
            yield client


class MakeAgent(Protocol):
    def __call__(
        self, *, see: tuple[str | int, ...] = ..., write: tuple[str | int, ...] = ..., manage: bool = ...,
        sends: int = ..., files: Path | None = ...,
    ) -> AgentHere: ...  # fmt: skip


@pytest.fixture
def make_agent(online: Running) -> MakeAgent:
    """Return a function that makes an agent of account 1; names become numbers with `number_of`."""

    def make(
        *,
        see: tuple[str | int, ...] = ("filehelper",),
        write: tuple[str | int, ...] = ("filehelper",),
        manage: bool = False,
        sends: int = 10,
        files: Path | None = None,
    ) -> AgentHere:
        audit: list[tuple[str, str, str]] = []

        async def note(*entry: str) -> None:
            audit.append(entry)  # type: ignore[arg-type]

        options = AgentOptions(manage=manage, sends_in_ten_minutes=sends)
        clock = online.world.clock.now
        budget = SendBudget(online.gateway.records, "test", options, clock)
        account = ClientAccount("default", online.port.account(1).client)
        permissions = ChatPermissions(see=see, write=write)
        return AgentHere(online, Agent(account, permissions, options, budget, note, clock, files=files), audit)

    return make


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
