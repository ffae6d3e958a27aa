"""The head of a request, and where it goes."""

from __future__ import annotations

import pytest

from webwx.errors import RefusedLocally
from webwx.protocol.http import Request
from webwx.transport.dial import Proxy
from webwx.transport.head import Site, write_head


def asking(url: str) -> Request:
    return Request(endpoint="webwxsync", method="GET", url=url)


@pytest.mark.parametrize(
    ("url", "site", "host", "path"),
    [
        ("https://wx.qq.com/a?b=c", Site("wx.qq.com", 443, True), "wx.qq.com", "/a?b=c"),
        ("http://127.0.0.1:8790", Site("127.0.0.1", 8790, False), "127.0.0.1:8790", "/"),
        ("http://wx.qq.com?a=/b", Site("wx.qq.com", 80, False), "wx.qq.com", "/?a=/b"),
        ("https://[::1]:8443/@", Site("::1", 8443, True), "[::1]:8443", "/@"),
    ],
)
def test_an_address_in_its_parts(url: str, site: Site, host: str, path: str) -> None:
    head = write_head(asking(url))
    assert head.site == site
    assert head.lines.startswith(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n".encode())


@pytest.mark.parametrize(
    "url",
    ["ftp://wx.qq.com/", "wx.qq.com", "https://", "https://a@b/", "https://a:b/", "https://a:99999/", "https://[/"],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RefusedLocally, match="nothing was sent") as caught:
        write_head(asking(url))
    assert url not in str(caught.value)


def test_a_proxy_is_given_the_whole_address_and_its_own_headers() -> None:
    head = write_head(asking("http://wx.qq.com/a"), Proxy("http://a:b@proxy.example"))
    assert head.lines.startswith(
        b"GET http://wx.qq.com/a HTTP/1.1\r\nHost: wx.qq.com\r\nProxy-Authorization: Basic YTpi\r\n"
    )
