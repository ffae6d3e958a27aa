"""
Check of the addresses to which the gateway connects.

Users choose the URLs of webhooks. Without a check, a program with a key could make the gateway send requests to
services that trust this machine or its network, such as a router or the metadata service of a cloud. So every address
of a name is checked, and the connection is made to a checked address; the name is not resolved a second time.

A host is checked in the form that the HTTP library makes of it: the library replaces characters of other scripts, so
`①②⑦.0.0.1` is an address of this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from webwx.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yarl import URL

_PORTS = {"http": 80, "https": 443}
_FIRST_FREE_PORT = 1024
"""Ports below this one belong to services other than HTTP, except 80 and 443."""

_INTERNAL_NAMES = ("localhost", "internal", "local", "localdomain")
"""Last labels of names that never belong to a public host."""

_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")
_MAX_URL = 2048

_NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),  # assignments of protocols
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("3fff::/20"),  # documentation
    IPv6Network("fec0::/10"),  # addresses of one site
)
"""Networks of special addresses that `ipaddress` counts as global."""


class AddressRefused(InvalidRequest):
    """The gateway does not connect to an address."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Target:
    """A URL that the gateway may request, if the addresses of its host pass `check_addresses`."""

    url: URL
    host: str
    """Host name in ASCII, or address without brackets."""
    port: int

    def __repr__(self) -> str:
        return "Target(***)"


def read_target(url: str, *, allow_private: bool = False) -> Target:
    """
    Check everything about a URL that can be checked without a name server.

    Args:
        url: An absolute URL.
        allow_private: Whether to allow hosts of this machine and of private networks.

    Raises:
        AddressRefused: The gateway does not request this URL.
    """
    from yarl import URL  # a gateway that calls no addresses starts sooner

    if len(url) > _MAX_URL or not url.isprintable() or " " in url:
        raise AddressRefused("The URL is not valid: it is too long, or has a blank or a control character.")
    try:
        parsed = URL(url)
        port = parsed.explicit_port
    except ValueError:
        raise AddressRefused("The URL is not valid.") from None
    if parsed.scheme not in _PORTS or not parsed.raw_host:
        raise AddressRefused("The URL has to begin with http:// or https:// and a host.")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise AddressRefused("The URL must not contain a user name or a password.")
    port = _PORTS[parsed.scheme] if port is None else port
    if port not in _PORTS.values() and port < _FIRST_FREE_PORT:
        raise AddressRefused(f"Port {port} is refused; use 80, 443, or one from {_FIRST_FREE_PORT} on.")
    host = parsed.raw_host.rstrip(".")
    if (address := read_address(host)) is not None:
        check_addresses([address], allow_private=allow_private)
    elif "%" in host:
        raise AddressRefused("The host of the URL is not valid.")
    elif not allow_private and host.rpartition(".")[2] in _INTERNAL_NAMES:
        raise AddressRefused("The host belongs to this machine or to a private network.")
    return Target(url=parsed, host=host, port=port)


def read_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the host of a URL as an address; None if it is a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def check_addresses(addresses: Sequence[IPv4Address | IPv6Address], *, allow_private: bool = False) -> None:
    """
    Check every address of a host.

    Raises:
        AddressRefused: The list is empty, or one of the addresses may not be connected to.
    """
    if not addresses:
        raise AddressRefused("The host has no address.")
    for address in addresses:
        each = _inner(address)
        if _is_never_allowed(each):
            raise AddressRefused("The host has an address that cannot belong to a server.")
        if not (allow_private or _is_public(each)):
            raise AddressRefused("The host belongs to this machine or to a private network.")


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that is embedded in an IPv6 address; otherwise the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo and teredo[1]) or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _is_never_allowed(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address never belongs to a server, or is that of a metadata service of a cloud."""
    is_reserved = address.is_reserved and not address.is_loopback
    return address.is_multicast or address.is_unspecified or address.is_link_local or is_reserved
