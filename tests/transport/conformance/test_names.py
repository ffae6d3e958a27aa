"""Name resolution: several addresses are tried, without blocking, for IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from tests.transport.lines import answer, serving, silent_port

from webwx.protocol.http import Request

if TYPE_CHECKING:
    from webwx.transport.runner import Transport


on_asyncio = pytest.mark.asyncio(loop_factories=["asyncio"])
"""uvloop has its own resolver, which a test cannot replace."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[socket.AddressFamily, str]]]:
    """Replace the system's resolver by the names of the test."""
    known: dict[str, list[tuple[socket.AddressFamily, str]]] = {}
    ask = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: int, **others: int) -> list[tuple[object, ...]]:
        if host not in known:
            return list(ask(host, port, *more, **others))
        if (others.get("flags", 0) | (more[3] if len(more) > 3 else 0)) & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME)
        return [
            (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (at, port, 0, 0)[: 4 if ":" in at else 2])
            for family, at in known[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@on_asyncio
async def test_the_next_address_is_tried_when_one_does_not_answer(
    transport: Transport, names: dict[str, list[tuple[socket.AddressFamily, str]]]
) -> None:
    names["wx.example"] = [(socket.AF_INET, "127.0.0.2"), (socket.AF_INET, "127.0.0.1")]
    async with serving(answer(b"hi")) as server:
        request = Request(endpoint="webwxsync", method="GET", url=f"http://wx.example:{server.port}/")
        assert (await transport.send(request)).body == b"hi"

    assert f"Host: wx.example:{server.port}\r\n".encode() in server.received[0]


@on_asyncio
async def test_an_unreachable_ipv6_address_causes_no_wait(
    transport: Transport, names: dict[str, list[tuple[socket.AddressFamily, str]]]
) -> None:
    with silent_port("::1") as port:
        names["wx.example"] = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
        async with serving(answer(b"hi"), port=port) as server:
            request = Request(endpoint="webwxsync", method="GET", url=f"http://wx.example:{server.port}/")
            assert (await transport.send(request)).body == b"hi"


async def test_an_ipv6_address_can_be_used(transport: Transport) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(b"hi", "Connection: close"))
        writer.close()

    received: list[bytes] = []
    async with await asyncio.start_server(say, "::1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        request = Request(endpoint="webwxsync", method="GET", url=f"http://[::1]:{port}/")
        assert (await transport.send(request)).body == b"hi"
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in received[0]
