"""
Connecting: from a host name to a connected socket, through a proxy and TLS if needed.

Names are resolved in a thread, once for all requests within some seconds. Of several IPv4 and IPv6 addresses, the first
that answers is used.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from typing import TYPE_CHECKING

from aiohappyeyeballs import start_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohappyeyeballs import AddrInfoType

    from webwx.transport.addresses import Proxy, Site

_NEXT_ADDRESS_AFTER = 0.25
"""Seconds until the next address is tried as well, as in RFC 8305."""

_NAME_KEPT = 10.0
"""Seconds for which a resolved address is remembered."""

_LONGEST_REPLY = 16 * 1024
_REPLY = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class ProxyRefused(Exception):
    """The proxy refused CONNECT."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ProxyUnreachable(OSError):
    """The proxy cannot be reached."""


class Dialer:
    """
    Opens connections for one event loop.

    Args:
        proxy: The proxy; None for direct connections.
        trust: Creates the TLS context; called when it is needed.
    """

    def __init__(self, proxy: Proxy | None, trust: Callable[[], ssl.SSLContext]) -> None:
        self._loop = asyncio.get_running_loop()
        self._proxy = proxy
        self._trust = trust
        self._known: dict[tuple[str, int], tuple[float, asyncio.Task[Sequence[AddrInfoType]]]] = {}

    async def dial(self, site: Site) -> socket.socket:
        """
        Return a connected socket, after the TLS handshake if there is one.

        Raises:
            ProxyRefused: The proxy refused CONNECT.
            CertificatesUnreadable: The trusted certificates cannot be read.
            ssl.SSLError: The server's certificate is not valid.
            ProxyUnreachable: The proxy does not answer.
            OSError: The server does not answer.
        """
        proxy = self._proxy
        if proxy is None:
            line = await self._connect(site.host, site.port)
        else:
            try:
                line = await self._connect(proxy.host, proxy.port)
            except (OSError, ValueError):  # a name that no host can have is a ValueError
                raise ProxyUnreachable from None
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if site.is_tls:
                if proxy:
                    await self._tunnel(line, proxy, site)
                line = await self._secure(line, site.host)
        except BaseException:
            line.close()
            raise
        return line

    async def _connect(self, host: str, port: int) -> socket.socket:
        addresses = await self._look_up(host, port)
        return await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER, loop=self._loop)

    async def _look_up(self, host: str, port: int) -> Sequence[AddrInfoType]:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:  # a name
            pass
        now = self._loop.time()
        until, asking = self._known.get((host, port), (0.0, None))
        if asking is None or until < now:
            asking = self._loop.create_task(self._ask_for(host, port))
            self._known[host, port] = (now + _NAME_KEPT, asking)
            asking.add_done_callback(lambda asked: self._forget_failure(host, port, asked))
        return await asyncio.shield(asking)

    async def _ask_for(self, host: str, port: int) -> Sequence[AddrInfoType]:
        return await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    def _forget_failure(self, host: str, port: int, asked: asyncio.Task[Sequence[AddrInfoType]]) -> None:
        if asked.cancelled() or asked.exception() is not None:
            self._known.pop((host, port), None)

    async def _tunnel(self, line: socket.socket, proxy: Proxy, site: Site) -> None:
        """Request a tunnel from the proxy."""
        more = "".join(f"{name}: {value}\r\n" for name, value in proxy.headers)
        place = f"{f'[{site.host}]' if ':' in site.host else site.host}:{site.port}"
        request = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{more}\r\n"
        await self._loop.sock_sendall(line, request.encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            piece = await self._loop.sock_recv(line, _LONGEST_REPLY)
            reply += piece
            if not piece or len(reply) > _LONGEST_REPLY:
                raise ConnectionResetError
        status = _REPLY.match(reply)
        if status is None:
            raise ConnectionResetError
        # Behind a yes nothing may follow: in TLS it is the client who speaks first.
        if not 200 <= int(status[1]) < 300 or not reply.endswith(b"\r\n\r\n"):
            raise ProxyRefused(int(status[1]))

    async def _secure(self, line: socket.socket, host: str) -> ssl.SSLSocket:
        secure = self._trust().wrap_socket(
            line, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        try:
            while True:
                try:
                    secure.do_handshake()
                except ssl.SSLWantReadError:
                    await self._until(self._loop.add_reader, self._loop.remove_reader, secure)
                except ssl.SSLWantWriteError:
                    await self._until(self._loop.add_writer, self._loop.remove_writer, secure)
                else:
                    return secure
        except BaseException:
            secure.close()
            raise

    async def _until(self, add: Callable[..., object], remove: Callable[..., object], line: socket.socket) -> None:
        ready = asyncio.Event()
        add(line, ready.set)
        try:
            await ready.wait()
        finally:
            remove(line)
