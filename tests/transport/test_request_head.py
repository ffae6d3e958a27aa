"""The head of a request and its destination."""

from __future__ import annotations

import pytest

from webwx.errors import InvalidRequest
from webwx.protocol.http import Request
from webwx.transport.addresses import Proxy, Site
from webwx.transport.request_head import write_head, write_out


def asking(url: str, method: str = "GET", body: bytes | tuple[bytes, ...] = b"") -> Request:
    return Request(endpoint="webwxsync", method=method, url=url, body=body)


@pytest.mark.parametrize(
    ("url", "site", "host", "path"),
    [
        ("https://wx.qq.com/a?b=c", Site("wx.qq.com", 443, True), "wx.qq.com", "/a?b=c"),
        ("http://127.0.0.1:8790", Site("127.0.0.1", 8790, False), "127.0.0.1:8790", "/"),
        ("http://wx.qq.com?a=/b", Site("wx.qq.com", 80, False), "wx.qq.com", "/?a=/b"),
        ("https://[::1]:8443/@", Site("::1", 8443, True), "[::1]:8443", "/@"),
    ],
)
def test_an_address_is_split_into_its_parts(url: str, site: Site, host: str, path: str) -> None:
    head = write_head(asking(url))
    assert head.site == site
    assert head.lines.startswith(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n".encode())


@pytest.mark.parametrize(
    "url",
    ["ftp://wx.qq.com/", "wx.qq.com", "https://", "https://a@b/", "https://a:b/", "https://a:99999/", "https://[/"],
)
def test_an_invalid_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidRequest, match="nothing was sent") as caught:
        write_head(asking(url))
    assert url not in str(caught.value)


def test_a_proxy_gets_the_full_address_and_its_own_headers() -> None:
    head = write_head(asking("http://wx.qq.com/a"), Proxy("http://a:b@proxy.example"))
    assert head.lines.startswith(
        b"GET http://wx.qq.com/a HTTP/1.1\r\nHost: wx.qq.com\r\nProxy-Authorization: Basic YTpi\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", b""),
        ("POST", b"", b"Content-Length: 0\r\n"),
        ("POST", b"body", b"Content-Length: 4\r\n"),
        ("POST", (b"multi", b"part"), b"Content-Length: 9\r\n"),
    ],
)
def test_a_small_body_is_sent_in_one_piece_with_its_head(
    method: str, body: bytes | tuple[bytes, ...], length: bytes
) -> None:
    request = asking("https://wx.qq.com/a", method, body)
    head = write_head(request)
    first, others = (body[0], body[1:]) if isinstance(body, tuple) else (body, ())
    assert write_out(head, request) == (head.lines + length + b"\r\n" + first, *others)


def test_a_large_body_is_not_copied() -> None:
    file = bytes(1 << 20)
    request = asking("https://wx.qq.com/a", "POST", (file, b"tail"))
    head = write_head(request)
    start, *others = write_out(head, request)
    assert start == head.lines + b"Content-Length: 1048580\r\n\r\n"
    assert others[0] is file
    assert others[1] == b"tail"


def test_the_repr_of_a_head_shows_no_field() -> None:
    request = Request(endpoint="e", method="GET", url="https://wx.qq.com/?skey=secret", headers=(("Cookie", "secret"),))
    assert "secret" not in repr(write_head(request))
