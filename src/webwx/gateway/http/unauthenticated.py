"""
Connections that have not shown a valid key: their number for each address, and the time that an upgrade has for it.

A client without a key can open connections faster than their deadlines end them. Each address has a share of the
connections for it. An address that has used it up loses its oldest one with each new one, so that programs with a key,
which need theirs without a key for a moment only, still connect from the same address. The token of a receiver and that
of a link count as keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from litestar.types import Scope

_IPV6_PREFIX = 64
"""Bits of an IPv6 address that one client cannot change."""

ADMISSION = "webwx_admission"
"""Key of the admission of a connection in the state of its requests."""


class Share:
    """
    The connections and forwarded requests without a key, by address.

    Args:
        size: Maximum number for one address; of IPv6, for one network of 64 bits.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[str, dict[object, Callable[[], object]]] = {}
        """Functions that end the connections of an address, the oldest first."""

    def take(self, address: str, end: Callable[[], object]) -> Callable[[], None]:
        """
        Count a connection, and end the oldest one of the address if there are too many.

        Args:
            address: IP address of the client.
            end: Ends the connection.

        Returns:
            A function that stops counting the connection; further calls have no effect.
        """
        network, token = _network_of(address), object()
        taken = self._taken.setdefault(network, {})
        taken[token] = end
        if len(taken) > self._size:
            oldest = next(iter(taken))
            taken.pop(oldest)()

        def give_back() -> None:
            taken.pop(token, None)
            if not taken and self._taken.get(network) is taken:
                del self._taken[network]

        return give_back


class ConnectionAdmission:
    """
    One connection until a request of it shows a valid key; behind a proxy, each of its requests.

    Args:
        share: Counts it.
        address: IP address of the other end.
        is_proxy: Whether the other end is the proxy whose forwarded addresses are trusted.
        end: Ends the connection.
    """

    def __init__(self, share: Share, address: str, *, is_proxy: bool, end: Callable[[], object]) -> None:
        self._share = share
        self._is_proxy = is_proxy
        self._end = end
        self._deadline: asyncio.TimerHandle | None = None
        self._give_back = _nothing if is_proxy else share.take(address, end)

    def admit(self) -> None:
        """Stop counting and timing the connection, or the request of a proxy, because it has shown a valid key."""
        self._give_back()
        if self._deadline is not None:
            self._deadline.cancel()

    close = admit
    """Stop counting and timing the connection, because it has ended."""

    def require_within(self, seconds: float) -> None:
        """End the connection unless it is admitted in time."""
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._end)

    @contextlib.contextmanager
    def request(self, address: str) -> Iterator[None]:
        """Count a request of the proxy for a client's address, until it is admitted or answered."""
        if self._is_proxy:
            self._give_back = self._share.take(address, self._end)
        try:
            yield
        finally:
            if self._is_proxy:
                self._give_back()


def admission_of(scope: Scope) -> ConnectionAdmission | None:
    """Return the admission of the connection of a request; None if the request came without a connection."""
    found: ConnectionAdmission | None = scope.get("state", {}).get(ADMISSION)
    return found


def admit(scope: Scope) -> None:
    """Stop counting and timing the connection of a request that has shown a valid key."""
    admission = admission_of(scope)
    if admission is not None:
        admission.admit()


def _nothing() -> None:
    """Do nothing: the connections of a proxy are not counted, but its requests."""


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_PREFIX), strict=False))
