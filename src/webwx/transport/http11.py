"""
Our own transport: HTTP/1.1 on non-blocking sockets.

It follows no redirect, stores no cookie, repeats no request and uses no proxy of the environment: a request is sent
unchanged, with only the headers that HTTP itself requires.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
from typing import TYPE_CHECKING

from webwx.protocol.http import TimeLimit
from webwx.transport.addresses import proxy_place
from webwx.transport.connect import ProxyRefused, ProxyUnreachable
from webwx.transport.failures import Failures
from webwx.transport.pool import Pool, Route
from webwx.transport.request_head import write_head, write_out
from webwx.transport.response_parser import BodyTooLong, ResponseError
from webwx.transport.runner import MAX_BODY, Timeouts, Transport
from webwx.transport.tls import CertificatesUnreadable

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from webwx.protocol.http import Headers, Request, Response, Sink
    from webwx.transport.addresses import Site
    from webwx.transport.connection import Connection
    from webwx.transport.network_time import NetworkTime
    from webwx.transport.request_head import RequestHead

_log = logging.getLogger("webwx.transport")


class Http11Transport(Transport):
    """
    A transport over real HTTP, for a proxy without TLS and an event loop that can watch sockets.

    Args:
        timeouts: Time limits.
        proxy: Address of a proxy, such as `http://127.0.0.1:8790`.
        ca_file: A file of certificates to trust instead of the system's.
    """

    def __init__(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        *,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._terms = {each: (timeouts.of(each), MAX_BODY[each]) for each in TimeLimit}
        """Time limit in seconds and maximum size, by patience."""
        self._way = Route(proxy, None if ca_file is None else str(ca_file))
        self._proxy = proxy_place(proxy)
        self._pool: Pool | None = None
        self._asked: tuple[str, str, Headers] | None = None
        """Fields from which the last head was written; usually the next request differs only in its body."""
        self._head: RequestHead

    async def send(self, request: Request) -> Response:
        """
        Send one request and return the answer.

        Raises: As `Transport.send`.
        """
        pool = self._pool
        if pool is None or pool.loop is not asyncio.get_running_loop():
            pool = self._pool = Pool.join(self, self._way)
        asked = (request.method, request.url, request.headers)
        if asked != self._asked:
            self._head, self._asked = write_head(request, pool.proxy), asked
        head, site = self._head, self._head.site
        time_limit, limit = self._terms[request.time_limit]
        now = pool.loop.time()
        connection = pool.kept(site, self._timeouts.keep_idle, now)
        if connection is None:
            connection = await self._connect(pool, site, request, time_limit)
        pool.watch(connection, now + time_limit)
        take = None
        if request.sink is not None:
            until = partial(self._timeouts.until, request.time_limit)
            take = _SinkWriter(request.sink, connection, until, pool.network_time).take
        try:
            answers = await connection.ask(write_out(head, request), limit, take)
        except asyncio.CancelledError:
            connection.close()
            raise
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
        return answers.take_response()

    async def close(self) -> None:
        """Close all connections that no other transport uses."""
        if self._pool is not None:
            self._pool.leave(self)
            self._pool = None

    async def _connect(self, pool: Pool, site: Site, request: Request, time_limit: float) -> Connection:
        failures = Failures(request.endpoint, _place(site), self._proxy)
        try:
            return await pool.open(site, min(self._timeouts.connect, time_limit))
        except ProxyRefused as refusal:
            raise failures.proxy_refused(refusal.status) from None
        except CertificatesUnreadable:
            raise failures.unreadable_certificates() from None
        except ssl.SSLEOFError:
            raise failures.no_connection() from None
        except ssl.SSLError as doubt:
            raise failures.untrusted_certificate(doubt) from None
        except ProxyUnreachable:
            raise failures.no_proxy() from None
        except (OSError, ValueError):  # a name that no host can have is a ValueError
            raise failures.no_connection() from None


class _SinkWriter:
    """
    A download in progress: it may take hours if bytes keep arriving, and not too slowly.

    Args:
        sink: Receives the bytes.
        connection: Connection of the download.
        until: Returns the next deadline for the time of the request, the present time and the number of bytes so far.
        network_time: The network time of the loop.
    """

    def __init__(
        self, sink: Sink, connection: Connection, until: Callable[[float, float, int], float], network_time: NetworkTime
    ) -> None:  # fmt: skip
        self._sink = sink
        self._connection = connection
        self._until = until
        self._network_time = network_time
        self._began = network_time.now()
        self._size = 0

    def take(self, piece: bytes) -> None:
        """Pass the next piece to the sink, and move the deadline."""
        self._sink.write(piece)
        self._size += len(piece)
        now = self._network_time.now()
        self._connection.deadline = self._connection.loop.time() + self._until(self._began, now, self._size) - now


def _failures(request: Request, site: Site) -> Failures:
    return Failures(request.endpoint, _place(site))


def _place(site: Site) -> str:
    return f"{site.host}:{site.port}"
