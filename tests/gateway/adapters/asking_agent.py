"""An agent whose sends to people need the consent of the owner, and the owner with the phone."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.adapters.conftest import created

from webwx.gateway.adapters.mcp.adapter import McpAdapter
from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.gateway_account import GatewayServedAccount
from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.tool_table import TOOLS, call_tool
from webwx.gateway.adapters.program import Program
from webwx.gateway.adapters.programs import read_options
from webwx.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.gateway.conftest import Running

    from webwx.gateway.app import Gateway
    from webwx.sandbox.world import World

CODE = re.compile(r"^Write y (\d{4}) to send it", re.MULTILINE)


class AskingAgent:
    """An agent of a program, and the phone of its owner."""

    def __init__(self, running: Running, program: Program, agent: Agent) -> None:
        self.running = running
        self.world = running.world
        self.program = program
        self.agent = agent

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool, and return its result or its failure."""
        return (await call_tool(self.agent, TOOLS[tool], arguments)).result

    async def asked(self, **arguments: Any) -> str:
        """Send a text to a person, about which the owner is asked; return the code."""
        waiting = await self.call("send_text", **{"chat": "Boss", **arguments})
        assert (waiting.outcome, waiting.code) == ("waiting_for_owner", "waiting-for-owner")
        return await self.code_of(arguments["idempotency_key"])

    async def code_of(self, key: str) -> str:
        """Return the code of a question, once it is on the phone."""
        found = await self.agent.question(self.agent.key_of(key))
        assert found is not None
        question = await self.until(lambda: next((text for text in self.notes() if found.code in text), ""))
        assert CODE.findall(question) == [found.code]
        return found.code

    def notes(self) -> list[str]:
        """Return the texts of File Transfer Helper on the phone."""
        return [each.text for each in getattr(self.world.inbox("me").get("filehelper"), "messages", ())]

    def received(self, who: str = "lilei") -> list[str]:
        """Return the texts that a person has got from the account."""
        chat = self.world.inbox(who).get("xiaoming")
        return [] if chat is None else [each.text for each in chat.messages]

    def write(self, text: str) -> None:
        """Write as the owner into File Transfer Helper on the phone."""
        self.world.say("me", "filehelper", text)

    async def until(self, found: Callable[[], Any]) -> Any:
        """Wait until a function returns something."""
        async with asyncio.timeout(20):
            while not (value := found()):  # noqa: ASYNC110 - no event of this process marks what arrives at a phone
                await asyncio.sleep(0.01)
            return value

    async def until_state(self, key: str, state: str) -> Any:
        """Wait until `find_send` tells a state."""
        async with asyncio.timeout(20):
            while (found := await self.call("find_send", idempotency_key=key)).state != state:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            return found


def agent_of(gateway: Gateway, program: Program) -> Agent:
    """Return an agent as the adapter makes it."""
    budget = SendBudget(gateway.records, program.id, program.options, gateway.confirmations.stored._clock)

    async def audit(*entry: str) -> None:
        pass

    return Agent(
        GatewayServedAccount(gateway.port, program.account), program.permissions, program.options, budget, audit,
        gateway.confirmations.stored._clock, consent=OwnerConsent(gateway.confirmations, program), program=program.id,
    )  # fmt: skip


async def asking_agent(running: Running, **fields: Any) -> AskingAgent:
    """Create a program whose sends need consent, and return its agent."""
    options = {"confirm": "phone", **fields.pop("options", {})}
    every = {"see": ["*"], "write": ["*"], **fields}
    made = await created(running, adapter="mcp", options=options, **every)
    stored = await running.gateway.programs.get(made["program"]["id"])
    assert stored is not None
    program = Program(stored, read_options(McpAdapter, stored))
    return AskingAgent(running, program, agent_of(running.gateway, program))


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world in which a session gets its own sends through sync, where they look like those of the phone."""
    return make_world(options=Options(echo="on"))


@pytest.fixture
async def asking(online: Running) -> AskingAgent:
    """An agent that may write to all chats, each time with the owner's consent."""
    return await asking_agent(online)


@pytest.fixture
def another(online: Running) -> Callable[..., Coroutine[Any, Any, AskingAgent]]:
    """Make an agent of another program."""

    async def make(**fields: Any) -> AskingAgent:
        return await asking_agent(online, name="other", **fields)

    return make
