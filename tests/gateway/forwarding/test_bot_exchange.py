"""Bots that run at another node: their list, and the account of a call."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.bot.conftest import until
from tests.gateway.conftest import SERVER
from tests.gateway.forwarding.test_forwarding import SECRET, Owner, Table, served, without_caller

from webwx.bot.bot import Bot
from webwx.gateway.access.auth import Caller
from webwx.gateway.access.capability_links import CapabilityLinks
from webwx.gateway.access.keys import KeyRing
from webwx.gateway.accounts.account_finders import RouteAccounts
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.forwarding.bot_exchange import BotExchange
from webwx.gateway.forwarding.forwarded_requests import Signatures, SignedRequests
from webwx.gateway.forwarding.forwarding import RequestForwarding
from webwx.gateway.forwarding.owner_client import OwnerClient
from webwx.gateway.forwarding.upload_exchange import UploadExchange
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploads import UploadStore
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import StartGateway

    from webwx.gateway.access.auth import Connection


class Nodes:
    """The other nodes, and the accounts `one` and `two`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def other_nodes(self) -> list[str]:
        self.asked += 1
        return [*self.addresses]

    async def look_up_account(self, which: str) -> int | None:
        return {"one": 1, "two": 2, "1": 1, "2": 2}.get(which)


@contextlib.asynccontextmanager
async def running_bot(start_gateway: StartGateway) -> AsyncIterator[HostedBots]:
    """Run a bot on the accounts 1 and 2."""
    bots = HostedBots([AssignedBot(Bot(server=SERVER, name="echo"))])
    async with start_gateway(bots=bots) as running:
        await running.log_in("one")
        await running.log_in("two", who="ahua")
        await until(lambda: [run.state for run in bots.runs] == ["running", "running"])
        yield bots


@contextlib.asynccontextmanager
async def served_node(bots: HostedBots, folder: Path) -> AsyncIterator[tuple[str, Owner]]:
    """Serve a node with bots; yield its address, and the application that gets what is not for nodes."""
    signatures, client, records, app = Signatures(SECRET), OwnerClient(), open_records("memory:"), Owner()
    exchange = UploadExchange(UploadStore(records, folder, lambda: 0.0), signatures, client)
    links = CapabilityLinks(records, KeyRing(records, lambda: 0.0), lambda: 0.0)
    found = BotExchange(bots, Nodes(), without_caller, signatures, client)
    forwarding = RequestForwarding(
        app, Table(), signatures, client, exchange, found, (RouteAccounts(Table().look_up_account), links, found)
    )
    async with served(SignedRequests(forwarding, forwarding, signatures)) as url:
        yield url, app
    await forwarding.close()


@contextlib.asynccontextmanager
async def front(nodes: Nodes, *, scopes: Any = ("bots",), accounts: Any = None) -> AsyncIterator[BotExchange]:
    """Return the exchange of a node without bots, whose caller has these rights."""
    client = OwnerClient()

    async def recognize(_: Connection) -> Caller | None:
        return Caller(id="k", scopes=scopes, accounts=accounts, address="") if scopes else None

    yield BotExchange(HostedBots(), nodes, recognize, Signatures(SECRET), client)
    await client.close()


def call(path: str, query: bytes = b"") -> Any:
    return {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": []}


async def test_the_bots_of_another_node_are_listed_without_those_of_a_dead_one(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with running_bot(start_gateway) as bots, served_node(bots, tmp_path) as (address, app):
        async with front(Nodes(address, "http://127.0.0.1:1")) as exchange:
            found = await exchange.find()
        assert app.scopes == [], "the list is the whole answer"
        assert [(each.name, each.account, each.state) for each in found] == [
            ("echo", 1, "running"), ("echo", 2, "running")
        ]  # fmt: skip


async def test_the_list_of_a_node_is_for_nodes_only(start_gateway: StartGateway, tmp_path: Path) -> None:
    async with running_bot(start_gateway) as bots, served_node(bots, tmp_path) as (address, app):
        async with httpx.AsyncClient(base_url=address) as client:
            await client.get("/api/v1/node/bots")
        assert [scope["path"] for scope in app.scopes] == ["/api/v1/node/bots"]


async def test_a_call_is_for_the_account_on_which_the_bot_runs_or_the_named_one(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with running_bot(start_gateway) as bots, served_node(bots, tmp_path) as (address, _):
        nodes = Nodes(address)
        async with front(nodes, accounts=(2,)) as exchange:
            assert await exchange.account_of(call("/bots/echo/deploy")) == 2
            assert await exchange.account_of(call("/bots/other/deploy")) is None
            asked = nodes.asked
            assert await exchange.account_of(call("/bots/echo/deploy", b"account=one")) == 1
            assert await exchange.account_of(call("/api/v1/bots")) is None
            assert nodes.asked == asked
        async with front(nodes) as exchange:
            with pytest.raises(GatewayProblem, match=r"add \?account="):
                await exchange.account_of(call("/bots/echo/deploy"))


@pytest.mark.parametrize("scopes", [(), ("read",)])
async def test_no_node_is_asked_for_a_caller_who_may_call_no_bot(scopes: tuple[str, ...]) -> None:
    nodes = Nodes()
    async with front(nodes, scopes=scopes) as exchange:
        assert await exchange.account_of(call("/bots/echo/deploy")) is None
    assert nodes.asked == 0
