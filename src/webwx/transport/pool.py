"""
The connections of one event loop, shared by all accounts that use the same route.

The last connection returned is the first one reused, so that the others can expire. Requests have no timer: a
connection has one deadline, for its answer or for its next request, and one timer for all of them fires at the
earliest. The deadline of an answer is put off by the time in which the loop was blocked.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from webwx.transport.addresses import Proxy
from webwx.transport.connect import Dialer
from webwx.transport.connection import Connection
from webwx.transport.network_time import NetworkTime, time_limit
from webwx.transport.tls import trusting

if TYPE_CHECKING:
    from webwx.transport.addresses import Site

_MOMENT = 0.01
"""Seconds in which a returned connection is assumed to be unchanged."""


class Route(NamedTuple):
    """Properties that two connections must share to be interchangeable."""

    proxy: str | None = None
    ca_file: str | None = None


class Pool:
    """
    The connections of one loop on one route.

    Args:
        route: The route.
    """

    def __init__(self, route: Route) -> None:
        self.loop = asyncio.get_running_loop()
        self.proxy = Proxy(route.proxy) if route.proxy else None
        """The proxy; None for direct connections."""
        self._route = route
        self._users: WeakSet[object] = WeakSet()
        self._dialler = Dialer(self.proxy, partial(trusting, route.ca_file))
        self._open: set[Connection] = set()
        self._idle: defaultdict[Site, list[Connection]] = defaultdict(list)
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self.network_time = NetworkTime.of_running_loop()
        """The time in which the loop was able to notice answers."""

    @staticmethod
    def join(user: object, route: Route) -> Pool:
        """Return the running loop's pool for a route; it closes when all users have left it."""
        for loop, other in list(_POOLS):
            if loop.is_closed():
                _POOLS.pop((loop, other), None)
        key = (asyncio.get_running_loop(), route)
        pool = _POOLS.get(key)
        if pool is None:
            pool = _POOLS[key] = Pool(route)
        pool._users.add(user)
        return pool

    def leave(self, user: object) -> None:
        """Stop using the pool."""
        self._users.discard(user)
        if not self._users:
            _POOLS.pop((self.loop, self._route), None)
            for connection in tuple(self._open):
                connection.close()
            self._disarm()

    def kept(self, site: Site, keep_idle: float, now: float) -> Connection | None:
        """Return a connection to a site that was idle for at most this time; None if no connection is left."""
        idle = self._idle[site]
        while idle:
            connection = idle.pop()
            age = now - connection.idle_since
            if age < keep_idle and (age < _MOMENT or connection.check()):
                return connection
            connection.close()
        return None

    async def open(self, site: Site, seconds: float) -> Connection:
        """
        Open a connection.

        Raises:
            TimeoutError: The connection was not open within this time.
            ProxyRefused: The proxy refused CONNECT.
            CertificatesUnreadable: The trusted certificates cannot be read.
            ssl.SSLError: The server's certificate is not valid.
            OSError: The server does not answer.
        """
        async with time_limit(seconds):
            line = await self._dialler.dial(site)
        connection = Connection(line, partial(self._ended, site))
        self._open.add(connection)
        return connection

    def keep(self, site: Site, connection: Connection, seconds: float) -> None:
        """Keep a connection for a next request within this time; close a connection that cannot be used again."""
        if connection.is_usable():
            connection.idle_since = now = self.loop.time()
            self._idle[site].append(connection)
            self.watch(connection, now + seconds)
        else:
            connection.close()

    def watch(self, connection: Connection, deadline: float) -> None:
        """Close a connection at its deadline."""
        connection.deadline = deadline
        if deadline < self._due:
            self._disarm()
            self._arm(deadline)

    def _arm(self, due: float) -> None:
        self._due = due
        self._timer = self.loop.call_at(due, self._sweep)
        self.network_time.use(self, self._put_off)

    def _disarm(self) -> None:
        self._due = math.inf
        if self._timer is not None:
            self._timer.cancel()
        self.network_time.leave(self)

    def _put_off(self, seconds: float) -> None:
        """Put the deadlines of answers off, because the loop could not notice them; an idle connection expires."""
        for connection in self._open:
            if connection.is_asked:
                connection.deadline += seconds

    def _sweep(self) -> None:
        self.network_time.now()  # a block that has just ended puts deadlines off
        now = self.loop.time()
        self._disarm()
        later = math.inf
        for connection in tuple(self._open):
            if connection.deadline <= now:
                connection.expire()
            else:
                later = min(later, connection.deadline)
        if later < math.inf:
            self._arm(later)

    def _ended(self, site: Site, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle[site]:
            self._idle[site].remove(connection)


_POOLS: dict[tuple[asyncio.AbstractEventLoop, Route], Pool] = {}
