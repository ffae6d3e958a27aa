"""The address of a request."""

from __future__ import annotations

from webwx.transport.addresses import Proxy


def test_a_proxy_without_a_port_is_on_port_80() -> None:
    proxy = Proxy("http://proxy.example")
    assert (proxy.host, proxy.port, proxy.headers) == ("proxy.example", 80, ())


def test_credentials_in_a_proxys_address_are_sent_decoded() -> None:
    proxy = Proxy("http://a%40b:c%3Ad@proxy.example:3128")
    assert proxy.port == 3128
    assert proxy.headers == (("Proxy-Authorization", "Basic YUBiOmM6ZA=="),)
