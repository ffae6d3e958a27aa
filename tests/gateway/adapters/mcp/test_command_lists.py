"""The lists of `webwx mcp`: they stay those of the WeChat user for whom they were given, over starts of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.adapters.test_other_user import change_user

from webwx.cli.gateway.chat_entries import chat_entry
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.command_agents import agent_of_login
from webwx.gateway.adapters.mcp.command_lists import CommandLists, forget_lists
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.served_account import ClientAccount
from webwx.gateway.adapters.permissions import ChatPermissions

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


def lists_of(running: Running, *chats: str) -> CommandLists:
    """Return the lists of a start of the command, with the same chats in both."""
    client, clock = running.port.account(1).client, running.world.clock.now
    agent = agent_of_login("default", "http://sandbox.test")
    return CommandLists(running.gateway.records, client, agent, chats, chats, clock)


def agent_with(running: Running, lists: CommandLists, permissions: ChatPermissions) -> Agent:
    """Return the agent of a start of the command."""
    options, clock = AgentOptions(), running.world.clock.now

    async def audit(*entry: str) -> None:
        pass

    account = ClientAccount("default", running.port.account(1).client)
    budget = SendBudget(running.gateway.records, "test", options, clock)
    return Agent(account, permissions, options, budget, audit, clock, bind=lists.bind)


async def test_the_same_options_stay_those_of_the_user_for_whom_they_were_given(online: Running) -> None:
    client = online.port.account(1).client
    boss = (await client.who("Boss")).number
    first = await user_of(client)
    given = [("*",), (str(boss),), ("Boss",)]
    for chats in given:
        assert (await lists_of(online, *chats).read(chat_entry)).user == first
    await change_user(online)
    stranger = await client.who(boss)
    assert stranger.name != "Boss"
    for chats in given:
        lists = lists_of(online, *chats)
        permissions = await lists.read(chat_entry)
        assert (permissions.user, await lists.is_of_another_user(permissions)) == (first, True)
        agent = agent_with(online, lists, permissions)
        assert not (await agent.allowed()).writes(stranger.contact_id)


async def test_other_options_and_forgotten_ones_are_those_of_the_present_user(online: Running) -> None:
    client = online.port.account(1).client
    await lists_of(online, "*").read(chat_entry)
    await change_user(online)
    present = await user_of(client)
    other = lists_of(online, "*", "filehelper")
    assert (await other.read(chat_entry)).user == present
    assert await forget_lists(online.gateway.records) == 2
    again = lists_of(online, "*")
    permissions = await again.read(chat_entry)
    assert (permissions.user, await again.is_of_another_user(permissions)) == (present, False)


async def test_a_name_stays_the_person_who_had_it_first(online: Running) -> None:
    client = online.port.account(1).client
    boss = await client.who("Boss")
    await lists_of(online, "Boss").read(chat_entry)
    await client.set_remark(boss.number, "Someone else")
    assert (await lists_of(online, "Boss").read(chat_entry)).write == ("filehelper", boss.number)


async def test_lists_from_before_the_first_login_are_those_of_its_user(running: Running) -> None:
    await running.port.add_account("default")
    lists = lists_of(running, "*")
    agent = agent_with(running, lists, await lists.read(chat_entry))
    await agent.allowed()
    await running.log_in()
    first = await user_of(running.port.account(1).client)
    assert (await agent.allowed()).writes_every_chat
    await change_user(running)
    assert not (await agent.allowed()).writes_every_chat
    assert (await lists_of(running, "*").read(chat_entry)).user == first


async def test_without_lists_nothing_is_stored(online: Running) -> None:
    assert await lists_of(online).read(chat_entry) == ChatPermissions()
    assert await forget_lists(online.gateway.records) == 0
