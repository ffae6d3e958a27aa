"""A program whose account is used by another WeChat user after a new login: numbers of people are those of one user."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.client.remote.conftest import QUICK
from tests.gateway.adapters.asking_agent import AskingAgent, agent_of, asking_agent, world
from tests.gateway.adapters.conftest import created
from tests.gateway.api.test_events import port_of

from webwx.client.client import AsyncClient
from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.adapters.confirmed_sends import ConfirmedSends
from webwx.gateway.adapters.mcp.adapter import McpAdapter
from webwx.gateway.adapters.mcp.agent import Agent
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.command_agents import agent_of_gateway
from webwx.gateway.adapters.mcp.command_consent import command_confirmations
from webwx.gateway.adapters.mcp.gateway_account import GatewayServedAccount
from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent
from webwx.gateway.adapters.mcp.send_budget import SendBudget
from webwx.gateway.adapters.mcp.served_account import ClientAccount
from webwx.gateway.adapters.mcp.tool_table import TOOLS, call_tool
from webwx.gateway.adapters.permissions import ChatPermissions, of_present_user, with_lists
from webwx.gateway.adapters.program import Program
from webwx.gateway.adapters.programs import read_options
from webwx.gateway.notify.message import OutgoingMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running

__all__ = ["world"]


async def until_logged_out(running: Running) -> None:
    """Wait until the gateway knows that the login has ended."""
    async with asyncio.timeout(20):
        while (await running.port.account(1).status()).state != "logged_out":  # noqa: ASYNC110 - no event of this test
            await asyncio.sleep(0.01)


async def change_user(running: Running) -> None:
    """Log the account out, and in again with the phone of another person, who has got a message."""
    running.world.log_out()
    await until_logged_out(running)
    await running.log_in(who="ahua")


async def listing_agent(running: Running, **options: object) -> AskingAgent:
    """Create a program that reaches Boss by number, and return its agent."""
    boss = (await running.port.account(1).client.who("Boss")).number
    return await agent_with(running, [boss], **options)


async def agent_with(running: Running, chats: list[str | int], **options: object) -> AskingAgent:
    """Create a program with the same chats in both lists, and return its agent."""
    made = await created(running, adapter="mcp", see=chats, write=chats, options=options)
    stored = await running.gateway.programs.get(made["program"]["id"])
    assert stored is not None
    program = Program(stored, read_options(McpAdapter, stored))
    return AskingAgent(running, program, agent_of(running.gateway, program))


async def test_listed_numbers_reach_no_one_of_another_user(online: Running) -> None:
    listing = await listing_agent(online)
    boss = await online.port.account(1).client.who("Boss")
    assert (await listing.agent.allowed()).writes(boss.contact_id)
    await change_user(online)
    other = await online.port.account(1).client.who(boss.number)
    assert other.name != "Boss"
    allowed = await listing.agent.allowed()
    assert not allowed.sees(other.contact_id)
    assert not allowed.writes(other.contact_id)


async def test_all_chats_are_those_of_one_user(online: Running) -> None:
    every = await agent_with(online, ["*"])
    boss = (await online.port.account(1).client.who("Boss")).number
    assert (await every.agent.written(boss)).chat.name == "Boss"
    await change_user(online)
    other = await online.port.account(1).client.who(boss)
    assert other.name != "Boss"
    online.world.say("me", "ahua", "for Ah Hua alone")
    await online.until_text("for Ah Hua alone")
    for tool, arguments in (
        ("send_text", {"text": "for Boss", "chat": boss}), ("send_text", {"text": "for Boss", "chat": other.name}),
        ("read_messages", {"chat": boss}), ("mark_read", {"chat": boss}),
    ):  # fmt: skip
        assert (await every.call(tool, **arguments)).outcome == "not_allowed"
    assert (await every.call("search_messages", query="alone")).messages == []
    status = await every.call("login_status")
    assert (status.sees_every_chat, status.writes_every_chat, status.can_see) == (False, False, [])

    both = await agent_with(online, ["filehelper", "*"])
    assert (await both.agent.allowed()).writes(other.contact_id)  # made for the present user


async def test_all_chats_that_were_allowed_before_the_first_login_are_those_of_its_user(running: Running) -> None:
    permissions = ChatPermissions(see=("*",), write=("*",))
    client = (await running.port.add_account("default")).client
    options = AgentOptions()
    budget = SendBudget(running.gateway.records, "test", options, running.world.clock.now)

    async def audit(*entry: str) -> None:
        pass

    agent = Agent(ClientAccount("default", client), permissions, options, budget, audit, running.world.clock.now)
    assert (await agent.allowed()).writes("@someone")
    await running.log_in()
    assert (await agent.allowed()).writes("@someone")
    await change_user(running)
    assert not (await agent.allowed()).writes("@someone")


async def test_a_program_for_all_chats_needs_a_user(running: Running) -> None:
    await running.port.add_account("default")
    async with running.client("admin") as client:
        body = {"name": "assistant", "adapter": "mcp", "account": 1, "see": ["*"]}
        assert (await client.post("/api/v1/programs", json=body)).status_code == 424
        assert (await client.post("/api/v1/programs", json={**body, "see": ["filehelper"]})).status_code == 201


async def test_an_accepted_send_is_not_made_for_another_user(online: Running) -> None:
    asking = await asking_agent(online)
    await asking.asked(text="for Boss", idempotency_key="k")
    online.world.log_out()
    await until_logged_out(online)
    found = await asking.agent.question(asking.agent.key_of("k"))
    assert found is not None
    await online.gateway.confirmations.decide(found, is_yes=True)
    await online.log_in(who="ahua")
    online.gateway.confirmations.look(asking.program)
    await asking.until_state("k", "failed")
    assert asking.received() == []
    async with online.client("adapters", "send") as client:
        [shown] = (await client.get(f"/api/v1/programs/{asking.program.id}/confirmations")).json()["confirmations"]
    assert (shown["state"], shown["error_code"]) == ("failed", "stale-contact")
    assert shown["error"] == "The id belongs to an earlier login; now it names no contact, or a different one."


class LateAccount:
    """An account of which another user takes the login at the last moment before a send is stored."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._account = running.port.account(1)
        self.sends: Any = self
        """This object."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._account, name)

    async def list_owned(self) -> list[int]:
        return [1]

    def account(self, number: int) -> LateAccount:
        del number
        return self

    async def enqueue(self, to: str | int, text: str, *, key: str = "") -> Any:
        await change_user(self._running)
        return await self._account.sends.enqueue(to, text, key=key)

    async def send_text(self, to: str | int, text: str, *, key: str) -> Any:
        await change_user(self._running)
        return await GatewayServedAccount(self._running.port, 1).send_text(to, text, key=key)


async def sent_texts(running: Running) -> list[str]:
    """Return the texts that the present user of the account has sent, or will send."""
    return [each.text for each in await running.port.account(1).client.list_sends()]


async def test_an_accepted_send_is_not_made_for_a_user_who_logs_in_just_before_it(online: Running) -> None:
    asking = await asking_agent(online)
    await asking.asked(text="for Boss", idempotency_key="k")
    stored, program = online.gateway.confirmations.stored, asking.program
    await online.gateway.confirmations.end(program)  # the sends below are made by this test
    found = await asking.agent.question(asking.agent.key_of("k"))
    assert found is not None
    boss = found.to
    await stored.change(found, lambda each: msgspec.structs.replace(each, state="accepted"))
    late: Any = LateAccount(online)
    sends = ConfirmedSends(stored, late)
    sends.begin(program)
    await asking.until_state("k", "failed")
    await sends.end(program.id)
    assert (await online.port.account(1).client.who(boss)).name != "Boss"
    assert await sent_texts(online) == []


async def test_an_accepted_send_that_was_made_before_a_kill_stays_made_after_another_user(online: Running) -> None:
    asking = await asking_agent(online)
    await online.gateway.confirmations.end(asking.program)  # the sends below are made by this test
    await asking.asked(text="hello", idempotency_key="k")
    stored, key = online.gateway.confirmations.stored, asking.agent.key_of("k")
    found = await asking.agent.question(key)
    assert found is not None
    await online.port.account(1).sends.send(found.to, TextContent(text="hello"), key=key)
    await stored.change(found, lambda each: msgspec.structs.replace(each, state="accepted"))  # it was killed before
    await change_user(online)
    sends = ConfirmedSends(stored, online.port)
    sends.begin(asking.program)
    await asking.until_state("k", "failed")
    await sends.end(asking.program.id)
    online.world.log_out("ahua")
    await until_logged_out(online)
    await online.log_in(who="me")
    assert (await asking.call("send_text", chat="Boss", text="hello", idempotency_key="k")).state == "sent"
    assert asking.received() == ["hello"]


async def test_a_send_is_not_made_for_a_user_who_logs_in_just_before_it(online: Running) -> None:
    every = await agent_with(online, ["*"])
    boss = (await online.port.account(1).client.who("Boss")).number
    late: Any = LateAccount(online)
    every.agent.account, every.agent.consent = late, None
    failed = await every.call("send_text", chat=boss, text="for Boss", idempotency_key="k")
    assert (failed.outcome, failed.code) == ("refused", "stale-contact")
    assert (await online.port.account(1).client.who(boss)).name != "Boss"
    assert await sent_texts(online) == []


def test_new_numbers_end_those_of_another_user() -> None:
    listed = with_lists(ChatPermissions(), 11, see=("filehelper", 3), write=(3,))
    assert listed == ChatPermissions(see=("filehelper", 3), write=(3,), user=11)
    assert with_lists(listed, 22, see=(7,), write=(3,)) == ChatPermissions(see=(7,), write=(), user=22)
    assert with_lists(listed, 11, see=(7,), write=(3,)) == ChatPermissions(see=(7,), write=(3,), user=11)
    assert with_lists(listed, 0, see=("filehelper",), write=(3,)).user == 11
    assert with_lists(listed, 22, see=("filehelper", 3), write=(3,)) == listed
    every = with_lists(ChatPermissions(), 11, see=("filehelper", "*"), write=("*",))
    assert every == ChatPermissions(see=("filehelper", "*"), write=("*",), user=11)
    assert with_lists(every, 22, see=every.see, write=(7,)) == ChatPermissions(see=("filehelper",), write=(7,), user=22)
    assert with_lists(every, 22, see=every.see, write=every.write) == every


async def test_the_number_of_a_recipient_reaches_no_one_of_another_user(online: Running) -> None:
    boss = (await online.port.account(1).client.who("Boss")).number
    async with online.client("admin") as client:
        body = {"name": "n", "kind": "json", "account": 1, "to": boss}
        made = [(await client.post("/api/v1/receivers", json={**body, "to": to})).json() for to in (boss, "filehelper")]
        changed = (await client.patch(f"/api/v1/receivers/{made[1]['receiver']['id']}", json={"to": boss})).json()
        assert changed["to"] == boss
    receivers = [await online.gateway.receivers.get(each["receiver"]["id"]) for each in made]
    await change_user(online)
    queue, listed = online.gateway.notifications, online.port.account(1).client
    for number, receiver in enumerate(receivers):
        assert receiver is not None
        await queue.put(receiver, OutgoingMessage(f"alert {number}"), "")
    assert {(each.text, each.chat) for each in await listed.list_sends()} == {
        ("alert 0", "filehelper"), ("alert 1", "filehelper"),
    }  # fmt: skip


async def test_a_held_message_for_a_number_reaches_no_one_of_another_user(online: Running) -> None:
    boss = (await online.port.account(1).client.who("Boss")).number
    async with online.client("admin") as client:
        body = {"name": "n", "kind": "json", "account": 1, "to": boss}
        made = (await client.post("/api/v1/receivers", json=body)).json()
    receiver = await online.gateway.receivers.get(made["receiver"]["id"])
    assert receiver is not None
    online.world.log_out()
    await until_logged_out(online)
    await online.gateway.notifications.put(receiver, OutgoingMessage("held"), "")
    await online.log_in(who="ahua")
    await online.gateway.notifications.flush()
    [sent] = await online.port.account(1).client.list_sends()
    assert (sent.chat, "held" in sent.text) == ("filehelper", True)


# -- through a gateway with a key --------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def through_gateway(running: Running) -> AsyncIterator[AsyncClient]:
    """Return a client of the gateway, as `webwx mcp --gateway` has one."""
    async with port_of(running) as address:
        key = await running.key("read", "send", "manage")
        async with AsyncClient(gateway=f"http://{address}", key=key, account="default", timeouts=QUICK) as client:
            yield client


async def remote_agent(
    running: Running, client: AsyncClient, *chats: str | int, consent: OwnerConsent | None = None
) -> Agent:
    """Return an agent of `webwx mcp --gateway` with the same chats in both lists."""
    options = AgentOptions()
    permissions = await of_present_user(ChatPermissions(see=chats, write=chats), client)
    budget = SendBudget(running.gateway.records, "test", options, running.world.clock.now)

    async def audit(*entry: str) -> None:
        pass

    account = ClientAccount("gateway", client, is_remote=True)
    return Agent(account, permissions, options, budget, audit, running.world.clock.now, consent=consent)


async def send_text(agent: Agent, **arguments: object) -> Any:
    """Send a text as an agent, and return the result or the failure."""
    return (await call_tool(agent, TOOLS["send_text"], arguments)).result


async def test_a_client_of_the_gateway_tells_users_apart_without_their_numbers(running: Running) -> None:
    await running.port.add_account("default")
    async with through_gateway(running) as client:
        with pytest.raises(NotLoggedIn):
            await user_of(client)
        await running.log_in()
        first = await user_of(client)
        uin = await user_of(running.port.account(1).client)
        running.world.log_out()
        await until_logged_out(running)
        assert await user_of(client) == first
        await running.log_in()
        assert await user_of(client) == first
        await change_user(running)
        assert await user_of(client) not in {first, 0}
        assert first not in {uin, 0}
        assert await user_of(running.port.account(1).client) != uin


@pytest.mark.parametrize("is_every", [False, True])
async def test_through_a_gateway_listed_chats_reach_no_one_of_another_user(online: Running, *, is_every: bool) -> None:
    boss = (await online.port.account(1).client.who("Boss")).number
    async with through_gateway(online) as client:
        agent = await remote_agent(online, client, "*" if is_every else boss)
        assert (await send_text(agent, chat=boss, text="hello")).state == "sent"
        await change_user(online)
        refused = await send_text(agent, chat=boss, text="for Boss")
        assert refused.outcome == "not_allowed"
        again = await remote_agent(online, client, "*")
        assert (await send_text(again, chat=boss, text="new")).state == "sent"


async def test_through_a_gateway_an_accepted_send_is_not_made_for_another_user(online: Running) -> None:
    boss = (await online.port.account(1).client.who("Boss")).number
    async with through_gateway(online) as client:
        program = agent_of_gateway("default", "http://gateway", "key").program(AgentOptions())
        records, clock = online.gateway.records, online.world.clock.now
        account = ClientAccount("gateway", client, is_remote=True)
        async with command_confirmations(records, account, program, clock, is_on_phone=True) as confirmations:
            consent = OwnerConsent(confirmations, program)
            agent = await remote_agent(online, client, boss, consent=consent)
            waiting = await send_text(agent, chat=boss, text="for Boss", idempotency_key="k")
            assert waiting.code == "waiting-for-owner"
            online.world.log_out()
            await until_logged_out(online)
            found = await agent.question(agent.key_of("k"))
            assert found is not None
            assert found.user == await user_of(client)
            await online.log_in(who="ahua")
            await confirmations.decide(found, is_yes=True)
            async with asyncio.timeout(20):
                while (await agent.question(agent.key_of("k"))).state == "accepted":  # type: ignore[union-attr]  # noqa: ASYNC110 - no event of this test
                    await asyncio.sleep(0.01)
            assert (await agent.question(agent.key_of("k"))).state == "failed"  # type: ignore[union-attr]
    assert [each.text for each in await online.port.account(1).client.list_sends() if each.text == "for Boss"] == []
