"""
HTTP requests that the gateway sends to addresses of users.

A name is resolved once for each connection; every address is checked, and again when the socket to it is made.
Redirects are not followed, no proxy of the environment is used, and an answer is read up to a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver

from webwx.errors import ConnectFailed, Timeout, TlsError, TransportError
from webwx.gateway.outgoing.addresses import AddressRefused, check_addresses, read_address, read_target
from webwx.transport.network_time import time_limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from types import TracebackType
    from typing import Any, Self

    from aiohttp import AddrInfoType
    from aiohttp.abc import ResolveResult

    Resolve = Callable[[str, int], Awaitable[list[str]]]
    """Returns the addresses of a host name, which are tried in their order."""

CONNECT_TIMEOUT = 10.0
"""Seconds to resolve the name and to connect."""

TOTAL_TIMEOUT = 15.0
"""Seconds for a whole request."""

FETCH_TIMEOUT = 30.0
"""Seconds for a whole file."""

_PIECE = 256 * 1024
"""Bytes of a file that are read at a time."""

MAX_ANSWER = 2_000
"""Maximum number of bytes of an answer that are read."""

_MOST_CONNECTIONS = 100


class OutgoingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a server."""

    status: int
    retry_after: str | None
    """Value of its Retry-After header."""
    body: bytes
    """The beginning of its body."""

    def __repr__(self) -> str:
        return f"OutgoingAnswer({self.status})"


async def resolve(host: str, port: int) -> list[str]:
    """
    Return the addresses of a host name.

    Raises:
        OSError: The host name has no address.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def checked_socket(info: AddrInfoType, *, allow_private: bool) -> socket.socket:
    """
    Return a new socket for a connection to an address, whose host was an address or a name.

    Args:
        info: Family, type, protocol, name and address, as from `getaddrinfo`.
        allow_private: Whether to allow addresses of this machine and of private networks.

    Raises:
        OSError: The gateway does not connect to this address.
    """
    family, kind, protocol, _, address = info
    _check([str(address[0])], allow_private=allow_private)
    return socket.socket(family, kind, protocol)


class OutgoingClient:
    """
    Sends requests; use it with `async with`, or close it.

    Args:
        resolve: Finds the addresses of a name.
    """

    def __init__(self, resolve: Resolve = resolve) -> None:
        self._resolve = resolve
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool = False
    ) -> OutgoingAnswer:
        """
        Send a POST request.

        Args:
            url: An absolute URL.
            body: The body.
            headers: The headers.
            allow_private: Whether to allow hosts of this machine and of private networks.

        Raises:
            AddressRefused: The gateway does not connect to this address.
            TransportError: There was no complete answer.
        """
        target = read_target(url, allow_private=allow_private)
        session = self._session(allow_private=allow_private)
        with _explained(TOTAL_TIMEOUT):
            async with (
                time_limit(TOTAL_TIMEOUT),
                session.post(target.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return OutgoingAnswer(
                    status=answer.status,
                    retry_after=answer.headers.get("Retry-After"),
                    body=await _beginning(answer.content),
                )

    async def fetch(self, url: str, *, allow_private: bool = False) -> AsyncGenerator[bytes, None]:
        """
        Yield the pieces of a file. The caller limits its size.

        Args:
            url: An absolute URL.
            allow_private: Whether to allow hosts of this machine and of private networks.

        Raises:
            AddressRefused: The gateway does not connect to this address.
            TransportError: The server did not answer with a complete file.
        """
        target = read_target(url, allow_private=allow_private)
        session = self._session(allow_private=allow_private)
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        headers = {"Accept-Encoding": "identity"}
        with _explained(FETCH_TIMEOUT):
            async with session.get(target.url, headers=headers, allow_redirects=False, timeout=timeout) as answer:
                if answer.status != HTTPStatus.OK:
                    raise TransportError(f"The server answered with status {answer.status}.")
                async for piece in answer.content.iter_chunked(_PIECE):
                    yield piece

    async def close(self) -> None:
        """Close all connections."""
        self._sessions.clear()
        await self._closing.aclose()

    def _session(self, *, allow_private: bool) -> aiohttp.ClientSession:
        """Return the session that allows private networks, or the one that refuses them; they share no connections."""
        session = self._sessions.get(allow_private)
        if session is None:
            connector = _LimitedConnector(
                resolver=_CheckedResolver(self._resolve, allow_private=allow_private), use_dns_cache=False,
                socket_factory=partial(checked_socket, allow_private=allow_private), limit=_MOST_CONNECTIONS,
            )  # fmt: skip
            session = self._sessions[allow_private] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),  # the library's limits run while the loop is blocked
            )  # fmt: skip
            self._closing.push_async_callback(session.close)
        return session


@contextlib.contextmanager
def _explained(seconds: float) -> Iterator[None]:
    """Raise errors of aiohttp as errors of the library."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError:
        raise Timeout(f"There was no connection within {CONNECT_TIMEOUT:g} seconds.") from None
    except TimeoutError:
        raise Timeout(f"The server did not answer within {seconds:g} seconds.") from None
    except aiohttp.ClientSSLError:
        raise TlsError("The TLS connection to the server failed.") from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _RefusedByCheck):
            raise AddressRefused(str(error.os_error)) from None
        raise ConnectFailed(f"The server cannot be reached ({error.os_error.strerror or 'no connection'}).") from None
    except aiohttp.InvalidURL:  # such as 127.1, which some systems read as an address
        raise AddressRefused("The host of the URL is not valid.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TransportError(f"The server gave no complete answer ({type(error).__name__}).") from None


class _LimitedConnector(aiohttp.TCPConnector):
    """Limits the time for a connection."""

    async def connect(self, *arguments: Any, **more: Any) -> aiohttp.connector.Connection:
        """Return a connection, pooled or new."""
        try:
            async with time_limit(CONNECT_TIMEOUT):
                return await super().connect(*arguments, **more)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None


class _RefusedByCheck(OSError):
    """A refusal as an `OSError`, the only kind of error that the connector forwards."""


def _check(addresses: Sequence[str], *, allow_private: bool) -> list[IPv4Address | IPv6Address]:
    """
    Return the addresses of a host if all of them may be connected to.

    Raises:
        _RefusedByCheck: One of them may not, or there is none.
    """
    read = [address for each in addresses if (address := read_address(each)) is not None]
    try:
        check_addresses(read, allow_private=allow_private)
    except AddressRefused as refusal:
        raise _RefusedByCheck(str(refusal)) from None
    return read


class _CheckedResolver(AbstractResolver):
    """Resolves a name once, and returns its addresses if all of them may be connected to."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - the connector passes it
    ) -> list[ResolveResult]:
        """Return the checked addresses of a host."""
        addresses = _check(await self._resolve(host, port), allow_private=self._allow_private)
        return [
            {
                "hostname": host, "host": str(address), "port": port, "proto": 0,
                "family": socket.AF_INET if address.version == 4 else socket.AF_INET6,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Do nothing."""


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return the first bytes of a body."""
    body = b""
    while len(body) < MAX_ANSWER and (chunk := await content.read(MAX_ANSWER - len(body))):
        body += chunk
    return body
