"""Connecting: name resolution."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.transport.lines import answer, serving

from webwx.errors import ConnectFailed
from webwx.protocol.http import Request
from webwx.transport.http11 import Http11Transport


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names for which the system's resolver was called."""
    asked: list[str] = []
    ask = socket.getaddrinfo

    def getaddrinfo(
        host: str,
        port: int,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> object:
        if flags & socket.AI_NUMERICHOST or not host.endswith("example"):
            return ask(host, port, family, type, proto, flags)
        asked.append(host)
        if host == "unknown.example":
            raise socket.gaierror(socket.EAI_NONAME)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_concurrent_lookups_of_a_name_are_one(asked: list[str]) -> None:
    engine = Http11Transport()
    async with serving(answer()) as server:
        request = Request(endpoint="webwxsync", method="GET", url=f"http://wx.example:{server.port}/")
        await asyncio.gather(*(engine.send(request) for _ in range(8)))
        await engine.close()

    assert asked == ["wx.example"]


async def test_a_failed_lookup_is_not_cached(asked: list[str]) -> None:
    engine = Http11Transport()
    for _ in range(2):
        with pytest.raises(ConnectFailed):
            await engine.send(Request(endpoint="webwxsync", method="GET", url="http://unknown.example/"))
    await engine.close()

    assert asked == ["unknown.example"] * 2


async def test_an_address_needs_no_lookup(asked: list[str]) -> None:
    engine = Http11Transport()
    async with serving(answer()) as server:
        await engine.send(server.request())
        await engine.close()

    assert asked == []
