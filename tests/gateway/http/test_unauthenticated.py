"""The share of an address without a valid key; `test_connections` has it on a port."""

from __future__ import annotations

from webwx.gateway.http.unauthenticated import ConnectionAdmission, Share


class Connection:
    """Something that can be ended."""

    def __init__(self) -> None:
        self.is_ended = False

    def end(self) -> None:
        self.is_ended = True


def taken(share: Share, *addresses: str) -> list[bool]:
    """Take one connection after another, and return which of them were ended."""
    connections = [Connection() for _ in addresses]
    for address, connection in zip(addresses, connections, strict=True):
        share.take(address, connection.end)
    return [connection.is_ended for connection in connections]


def test_the_oldest_connection_of_an_address_ends_when_its_share_is_used_up() -> None:
    assert taken(Share(2), "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.1") == [True, False, False, False]


def test_a_network_of_ipv6_is_one_address_and_a_mapped_address_is_that_of_ipv4() -> None:
    assert taken(Share(1), "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1") == [True, False, False]
    assert taken(Share(1), "::ffff:192.0.2.1", "192.0.2.1", "", "unknown") == [True, False, False, False]


def test_what_is_admitted_or_closed_is_not_counted() -> None:
    share, connections = Share(1), [Connection() for _ in range(3)]
    first = ConnectionAdmission(share, "192.0.2.1", is_proxy=False, end=connections[0].end)
    first.admit()
    second = ConnectionAdmission(share, "192.0.2.1", is_proxy=False, end=connections[1].end)
    second.close()
    first.close()
    ConnectionAdmission(share, "192.0.2.1", is_proxy=False, end=connections[2].end)
    assert [connection.is_ended for connection in connections] == [False, False, False]


def test_of_a_proxy_each_request_is_counted_for_its_client() -> None:
    share, connections = Share(1), [Connection() for _ in range(3)]
    first, second, third = (
        ConnectionAdmission(share, "127.0.0.1", is_proxy=True, end=connection.end) for connection in connections
    )
    with first.request("192.0.2.1"):
        pass
    with first.request("192.0.2.1"), second.request("192.0.2.2"), third.request("192.0.2.1"):
        assert [connection.is_ended for connection in connections] == [True, False, False]
