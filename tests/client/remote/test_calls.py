"""Calls of a gateway: the account, the key, and which of them are repeated after a failure."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.client.remote.conftest import QUICK
from tests.tcp_server import tcp_server

from webwx.client.client import AsyncClient
from webwx.errors import (
    ConnectFailed,
    GatewayRefused,
    InvalidSettings,
    ProtocolError,
    RateLimitReached,
    SendOutcomeUnknown,
    TransportError,
)
from webwx.gateway.problems import problem
from webwx.representations.sends import SendView
from webwx.representations.times import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.client.remote.conftest import OpenGateway

KEY = "wxk_12345678_" + "a" * 43

SENT = msgspec.json.encode(SendView(id="17", state="sent", message_id="9", chat="filehelper", time=moment(1.7e9)))


class Scripted:
    """A server that answers each request with the next line of a script; None: it closes the connection."""

    def __init__(self, *script: tuple[int, bytes] | None) -> None:
        self.script = list(script)
        self.heads: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AsyncClient]:
        async with tcp_server(self._answer) as port:
            self.url = f"http://127.0.0.1:{port}"
            async with AsyncClient(gateway=self.url, key=KEY, account="me", timeouts=QUICK) as client:
                yield client

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
                )
                await reader.readexactly(length)
                self.heads.append(head)
                step = self.script.pop(0)
                if step is None:
                    return
                status, body = step
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def header(self, name: str) -> list[str]:
        """Return the values of a header, one for each request."""
        return [
            line.partition(": ")[2]
            for head in self.heads
            for line in head.split("\r\n")
            if line.lower().startswith(f"{name.lower()}:")
        ]


async def test_a_send_whose_answer_was_lost_is_asked_for_again_under_its_key() -> None:
    server = Scripted(None, (503, msgspec.json.encode(problem("unavailable"))), (201, SENT))
    async with server.serving() as client:
        assert (await client.send_text("filehelper", "hello")).message_id == "9"
    first, second, third = server.header("Idempotency-Key")
    assert first == second == third
    assert server.header("Authorization") == [f"Bearer {KEY}"] * 3


async def test_a_send_that_stays_unanswered_is_unknown_and_not_failed() -> None:
    server = Scripted(None, None, None, None)
    async with server.serving() as client:
        with pytest.raises(SendOutcomeUnknown):
            await client.send_text("filehelper", "hello")
    assert len(server.heads) == 4


async def test_a_change_without_a_key_is_never_repeated() -> None:
    server = Scripted(None)
    async with server.serving() as client:
        with pytest.raises(SendOutcomeUnknown):
            await client.mark_read("filehelper")
    assert len(server.heads) == 1


async def test_a_read_is_repeated_and_raises_what_happened() -> None:
    server = Scripted(None, (200, b'{"chats": []}'), None, None, None, None)
    async with server.serving() as client:
        assert await client.list_chats() == []
        with pytest.raises(TransportError) as failure:
            await client.list_chats()
    assert not isinstance(failure.value, SendOutcomeUnknown)
    assert len(server.heads) == 6


async def test_a_gateway_that_is_not_there_has_got_nothing() -> None:
    async with AsyncClient(gateway="http://127.0.0.1:9", key=KEY, account="me", timeouts=QUICK) as client:
        with pytest.raises(ConnectFailed):
            await client.send_text("filehelper", "hello")


async def test_a_send_that_waits_is_asked_for_until_it_is_sent() -> None:
    queued = msgspec.json.encode(SendView(id="17", state="queued"))
    server = Scripted((202, queued), (202, queued), (201, SENT))
    async with server.serving() as client:
        assert (await client.send_text("filehelper", "hello", key="报告")).client_id == "17"
    assert len({*server.header("Idempotency-Key")}) == 1
    server = Scripted(*[(202, queued)] * 3)
    async with server.serving() as client:
        with pytest.raises(SendOutcomeUnknown, match="queued"):
            await client.send_text("filehelper", "hello")


async def test_an_answer_of_another_server_is_named() -> None:
    server = Scripted((200, b"<html>"), (404, b"<html>"), (200, b"[1]"))
    async with server.serving() as client:
        with pytest.raises(ProtocolError, match="another version"):
            await client.list_chats()
        with pytest.raises(GatewayRefused, match="404"):
            await client.list_chats()
        with pytest.raises(ProtocolError):
            await client.list_chats()


async def test_a_limit_of_the_key_says_when_to_continue() -> None:
    refusal = msgspec.json.encode(problem("too-many-requests", "later", retry_after=7))
    server = Scripted((429, refusal))
    async with server.serving() as client:
        with pytest.raises(RateLimitReached) as limit:
            await client.send_text("filehelper", "hello")
    assert limit.value.retry_after == 7


# -- with a real gateway -----------------------------------------------------------------------------------------------


async def test_a_key_without_a_scope_and_a_wrong_key_are_refused(open_gateway: OpenGateway, url: str) -> None:
    async with open_gateway("read") as client:
        with pytest.raises(GatewayRefused, match="scope") as refused:
            await client.send_text("filehelper", "hello")
        assert refused.value.code == "forbidden"
    async with AsyncClient(gateway=url, key=KEY, account="default", timeouts=QUICK) as client:
        with pytest.raises(GatewayRefused) as refused:
            await client.list_chats()
        assert refused.value.code == "unauthorized"
        with pytest.raises(GatewayRefused):
            await anext(aiter(client.events("reader")))


async def test_the_account_has_to_be_named_if_the_key_reaches_several(
    friend: object, open_gateway: OpenGateway
) -> None:
    del friend
    async with open_gateway("admin") as client:
        with pytest.raises(InvalidSettings, match="'default', 'friend'"):
            await client.list_chats()
