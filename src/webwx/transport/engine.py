"""
The engine: HTTP/1.1 on sockets of our own.

Nothing is redirected, no cookie is kept, nothing is asked twice, no proxy of the environment is used: a request goes
out as it was made, with nothing added but what HTTP itself needs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from webwx.protocol.http import Response
from webwx.transport.answer import NoAnswer
from webwx.transport.dial import Barred
from webwx.transport.failures import Failures
from webwx.transport.head import read_address, write_head
from webwx.transport.pool import Pool, Way
from webwx.transport.run import MAX_BODY, Timeouts
from webwx.transport.trust import NoTrust

if TYPE_CHECKING:
    import os

    from webwx.protocol.http import Request
    from webwx.transport.connection import Connection
    from webwx.transport.head import Site

_log = logging.getLogger("webwx.transport")


class Engine:
    """
    A transport over real HTTP, for a proxy without TLS and a loop that can watch sockets.

    Args:
        timeouts: How long to wait for what.
        proxy: Address of a proxy to go through, such as `http://127.0.0.1:8790`.
        ca_file: A file of certificates to trust in place of the system's.
    """

    def __init__(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        *,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._way = Way(proxy, None if ca_file is None else str(ca_file))
        self._pool: Pool | None = None

    async def send(self, request: Request) -> Response:
        """
        Carry one request.

        Raises:
            RefusedLocally: The request would be read as another one; nothing left.
            ConnectFailed: Nothing left this machine.
            TlsError: The other side could not prove who it is; nothing left.
            Timeout: No answer in time.
            TransportError: The answer broke off.
            ProtocolError: The answer is larger than any of its kind.
        """
        if self._pool is None or self._pool.loop is not asyncio.get_running_loop():
            self._pool = Pool.join(self, self._way)
        pool = self._pool
        address = read_address(request)
        site = address.site
        head = write_head(request, address, pool.proxy.headers if pool.proxy and not site.is_tls else None)
        began = pool.loop.time()
        patience = self._timeouts.of(request.patience)
        connection = pool.kept(site, self._timeouts.keep_idle) or await self._connect(pool, site, request, patience)
        pool.watch(connection, began + patience)
        limit = MAX_BODY[request.patience]
        pieces: list[bytes] = []
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)
            if request.sink is not None:
                request.sink.write(piece)
                # A file may take hours; what must not happen is that nothing comes for long.
                connection.deadline = pool.loop.time() + patience
            elif size <= limit:
                pieces.append(piece)
            else:
                raise _failures(request, site).too_large(limit)

        try:
            answers = await connection.ask(head, request.body, take)
        except TimeoutError:
            raise _failures(request, site).no_answer() from None
        except NoAnswer:
            raise _failures(request, site).no_http() from None
        except OSError:
            raise _failures(request, site).broken_off() from None
        response = Response(status=answers.status, headers=answers.headers, body=b"".join(pieces))
        pool.keep(site, connection, self._timeouts.keep_idle)
        _log.debug("%s -> %s, %d bytes", request.endpoint, response.status, size)
        return response

    async def close(self) -> None:
        """Let go of all connections that nobody else uses."""
        if self._pool is not None:
            self._pool.leave(self)
            self._pool = None

    async def _connect(self, pool: Pool, site: Site, request: Request, patience: float) -> Connection:
        failures = _failures(request, site)
        try:
            return await pool.open(site, min(self._timeouts.connect, patience))
        except Barred as refusal:
            raise failures.barred(refusal.status) from None
        except NoTrust:
            raise failures.no_trust() from None
        except ssl.SSLEOFError:
            raise failures.no_connection() from None
        except ssl.SSLError as doubt:
            raise failures.unproven(doubt) from None
        except (OSError, ValueError):  # a name that no host can have is a ValueError
            raise failures.no_connection() from None


def _failures(request: Request, site: Site) -> Failures:
    return Failures(request.endpoint, f"{site.host}:{site.port}")
