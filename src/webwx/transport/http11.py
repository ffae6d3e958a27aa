"""
The engine: HTTP/1.1 on sockets of our own.

Nothing is redirected, no cookie is kept, nothing is asked twice, no proxy of the environment is used: a request goes
out as it was made, with nothing added but what HTTP itself needs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
from typing import TYPE_CHECKING

from webwx.protocol.http import Patience
from webwx.transport.addresses import proxy_place
from webwx.transport.connect import ProxyRefused, ProxyUnreachable
from webwx.transport.connection import Connection, fastest
from webwx.transport.failures import Failures
from webwx.transport.pool import Pool, Route
from webwx.transport.request_head import write_head, write_out
from webwx.transport.response_parser import BodyTooLong, ResponseError
from webwx.transport.runner import MAX_BODY, Timeouts
from webwx.transport.tls import NoTrust

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from webwx.protocol.http import Headers, Request, Response, Sink
    from webwx.transport.addresses import Site
    from webwx.transport.request_head import RequestHead

_log = logging.getLogger("webwx.transport")


class Http11Transport:
    """
    A transport over real HTTP, for a proxy without TLS and a loop that can watch sockets.

    Args:
        timeouts: How long to wait for what.
        proxy: Address of a proxy to go through, such as `http://127.0.0.1:8790`.
        ca_file: A file of certificates to trust in place of the system's.
        connection: The class of its connections; the quickest by default.
    """

    def __init__(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        *,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        connection: type[Connection] = fastest(),  # noqa: B008 - a class
    ) -> None:
        self._timeouts = timeouts
        self._terms = {each: (timeouts.of(each), MAX_BODY[each]) for each in Patience}
        """By how long an answer may take: that in seconds, and how large it may be."""
        self._way = Route(proxy, None if ca_file is None else str(ca_file), connection)
        self._proxy = proxy_place(proxy)
        self._pool: Pool | None = None
        self._asked: tuple[str, str, Headers] | None = None
        """What the last head was written of; it is that of the next request, where only the body is another."""
        self._head: RequestHead

    async def send(self, request: Request) -> Response:
        """
        Carry one request.

        Raises:
            InvalidRequest: The request would be read as another one; nothing left.
            ConnectFailed: Nothing left this machine.
            TlsError: The other side could not prove who it is; nothing left.
            Timeout: No answer in time.
            TransportError: The answer broke off.
            ProtocolError: The answer is larger than any of its kind.
        """
        pool = self._pool
        if pool is None or pool.loop is not asyncio.get_running_loop():
            pool = self._pool = Pool.join(self, self._way)
        asked = (request.method, request.url, request.headers)
        if asked != self._asked:
            self._head, self._asked = write_head(request, pool.proxy), asked
        head, site = self._head, self._head.site
        patience, limit = self._terms[request.patience]
        now = pool.loop.time()
        connection = pool.kept(site, self._timeouts.keep_idle, now)
        if connection is None:
            connection = await self._connect(pool, site, request, patience)
        pool.watch(connection, now + patience)
        take = None
        if request.sink is not None:
            take = _Pouring(request.sink, connection, partial(self._timeouts.until, request.patience, now)).take
        try:
            answers = await connection.ask(write_out(head, request), limit, take)
        except TimeoutError:
            raise _failures(request, site).no_answer() from None
        except BodyTooLong:
            raise _failures(request, site).too_large(limit) from None
        except ResponseError:
            raise _failures(request, site).no_http() from None
        except OSError:
            raise _failures(request, site).broken_off() from None
        pool.keep(site, connection, self._timeouts.keep_idle)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s -> %s, %d bytes", request.endpoint, answers.status, answers.size)
        return answers.hand_out()

    async def close(self) -> None:
        """Close all connections that no other transport uses."""
        if self._pool is not None:
            self._pool.leave(self)
            self._pool = None

    async def _connect(self, pool: Pool, site: Site, request: Request, patience: float) -> Connection:
        failures = Failures(request.endpoint, _place(site), self._proxy)
        try:
            return await pool.open(site, min(self._timeouts.connect, patience))
        except ProxyRefused as refusal:
            raise failures.barred(refusal.status) from None
        except NoTrust:
            raise failures.no_trust() from None
        except ssl.SSLEOFError:
            raise failures.no_connection() from None
        except ssl.SSLError as doubt:
            raise failures.unproven(doubt) from None
        except ProxyUnreachable:
            raise failures.no_proxy() from None
        except (OSError, ValueError):  # a name that no host can have is a ValueError
            raise failures.no_connection() from None


class _Pouring:
    """
    A download on its way: a file may take hours, if only something comes, and not too slowly.

    Args:
        sink: Where it goes.
        connection: Where it comes from.
        until: Says when it has to end or to bring more, by what time it is and how much has come.
    """

    def __init__(self, sink: Sink, connection: Connection, until: Callable[[float, int], float]) -> None:
        self._sink = sink
        self._connection = connection
        self._until = until
        self._size = 0

    def take(self, piece: bytes) -> None:
        """Take the next piece."""
        self._sink.write(piece)
        self._size += len(piece)
        self._connection.deadline = self._until(self._connection.loop.time(), self._size)


def _failures(request: Request, site: Site) -> Failures:
    return Failures(request.endpoint, _place(site))


def _place(site: Site) -> str:
    return f"{site.host}:{site.port}"
