"""Uploads that another node stores: their content for nodes, and for no client."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.client.conftest import PNG
from tests.gateway.forwarding.test_forwarding import SECRET, Owner, Table, served, without_caller

from webwx.gateway.access.capability_links import CapabilityLinks
from webwx.gateway.access.keys import KeyRing
from webwx.gateway.accounts.account_finders import RouteAccounts
from webwx.gateway.bots.bots import HostedBots
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

    from litestar.types import Receive, Scope, Send

    from webwx.gateway.sends.uploads import StoredUpload
    from webwx.storage.tables.records import RecordStore


class UploadNode:
    """A node that stores uploads, on a port."""

    def __init__(self, records: RecordStore, folder: Path) -> None:
        self.app = Owner()
        self.url = ""
        self.uploads: UploadStore
        self.exchange: UploadExchange
        self._records = records
        self._folder = folder
        self._forwarding: RequestForwarding
        self._signed: SignedRequests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._signed(scope, receive, send)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with served(self) as self.url:
            signatures, client = Signatures(SECRET), OwnerClient()
            self.uploads = UploadStore(self._records, self._folder, lambda: 0.0, self.url)
            self.exchange = UploadExchange(self.uploads, signatures, client)
            links = CapabilityLinks(self._records, KeyRing(self._records, lambda: 0.0), lambda: 0.0)
            bots = BotExchange(HostedBots(), Table(), without_caller, signatures, client)
            finders = RouteAccounts(Table().look_up_account), links, bots
            forwarding = RequestForwarding(self.app, Table(), signatures, client, self.exchange, bots, finders)
            self._signed = SignedRequests(forwarding, forwarding, signatures)
            try:
                yield
            finally:
                await forwarding.close()

    async def add(self, content: bytes) -> StoredUpload:
        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return await self.uploads.add(pieces(), name="a.png", owner="k", limit=10**9)


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[UploadNode, UploadNode]]:
    """Two nodes with the same records."""
    records = open_records("memory:")
    one, two = UploadNode(records, tmp_path / "one"), UploadNode(records, tmp_path / "two")
    async with one.served(), two.served():
        yield one, two


async def test_a_node_fetches_the_content_of_another_one(nodes: tuple[UploadNode, UploadNode]) -> None:
    one, two = nodes
    content = PNG * 1000
    upload = await one.add(content)
    assert (two.uploads.is_elsewhere(upload), one.uploads.is_elsewhere(upload)) == (True, False)
    assert b"".join([piece async for piece in two.exchange.fetch(upload)]) == content
    assert one.app.scopes == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE"])
async def test_requests_for_an_upload_are_answered_by_its_node(
    nodes: tuple[UploadNode, UploadNode], method: str
) -> None:
    one, two = nodes
    upload = await one.add(PNG)
    async with httpx.AsyncClient() as client:
        for node in nodes:
            await client.request(method, f"{node.url}/api/v1/uploads/{upload.id}", content=b"more")
        await client.request(method, f"{two.url}/api/v1/uploads/{'0' * 32}")
    assert (len(one.app.scopes), len(two.app.scopes)) == (2, 1)


@pytest.mark.parametrize("end", ["content", "content/", "%63ontent", "../{}/content", "?/content", "content?a=1"])
async def test_no_client_gets_the_content(nodes: tuple[UploadNode, UploadNode], end: str) -> None:
    upload = await nodes[0].add(PNG)
    separator = "%2F" if end == "content" else "/"
    for node in nodes:
        for between in {"/", separator}:
            async with httpx.AsyncClient() as client:
                path = f"/api/v1/uploads/{upload.id}{between}{end.format(upload.id)}"
                answer = await client.get(httpx.URL(node.url, raw_path=path.encode()))
            assert PNG not in answer.content
            assert answer.status_code == 207  # of the application, which checks keys


async def test_an_upload_that_its_node_has_lost_is_not_found(nodes: tuple[UploadNode, UploadNode]) -> None:
    one, two = nodes
    upload = await one.add(PNG)
    one.uploads.path(upload.id).unlink()
    with pytest.raises(GatewayProblem) as raised:
        await anext(two.exchange.fetch(upload))
    assert raised.value.code == "not-found"


async def test_the_node_of_an_upload_may_be_down(nodes: tuple[UploadNode, UploadNode], tmp_path: Path) -> None:
    third = UploadNode(open_records("memory:"), tmp_path / "three")
    async with third.served():
        upload = await third.add(PNG)
    with pytest.raises(GatewayProblem) as raised:
        await anext(nodes[0].exchange.fetch(upload))
    assert raised.value.code == "unavailable"
