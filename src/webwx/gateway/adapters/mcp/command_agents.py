"""
The agents of `webwx mcp`: each is a program with one account, a login of this machine or an account of a gateway.

They are stored beside the programs of the gateway, with less: a name, for the questions to their owners. No gateway
serves them.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.adapters.program import Program, StoredProgram

if TYPE_CHECKING:
    from webwx.gateway.adapters.mcp.agent_options import AgentOptions
    from webwx.storage.tables.records import RecordStore

ACCOUNT = 0
"""Number of the account of each of these programs; no account of a gateway has it."""

_KIND = "mcp/command-agent"

_NAME = "webwx mcp"
"""What the owner is shown as the name of the program."""


class CommandAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that has asked its owner about sends."""

    id: str
    account: str
    """Name of the account; empty: the only one that the key of the gateway reaches."""
    place: str
    """Address of the gateway, or the server or the profile of a login of this machine."""
    kind: Literal["login", "gateway"]
    """Whether the account is a login of this machine, or an account of a gateway."""

    def program(self, options: AgentOptions) -> Program:
        """Return the agent as a program."""
        stored = StoredProgram(id=self.id, name=_NAME, adapter="mcp", account=ACCOUNT, digest="", created_at=0)
        return Program(stored, options)


def agent_of_login(account: str, place: str) -> CommandAgent:
    """Return the agent with a login of this machine."""
    return CommandAgent(id=_id(account, place, "login"), account=account, place=place, kind="login")


def agent_of_gateway(account: str, url: str, key: str) -> CommandAgent:
    """Return the agent with an account of a gateway; with another key it is another one, with questions of its own."""
    return CommandAgent(id=_id(account, url, "gateway", key), account=account, place=url, kind="gateway")


async def store_agent(records: RecordStore, agent: CommandAgent, *, time: float) -> None:
    """Store an agent, unless it is stored."""
    with suppress(RecordChanged):
        if await records.get(_KIND, agent.id) is None:
            await records.put(_KIND, agent.id, msgspec.json.encode(agent), version=0, time=time)


async def find_agents(records: RecordStore) -> list[CommandAgent]:
    """Return all stored agents."""
    return [msgspec.json.decode(each.body, type=CommandAgent) for each in await records.find(_KIND)]


def _id(*parts: str) -> str:
    return f"command-{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]}"
