"""Addresses that a hostile server may name, and the places in a login where it can name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import WxError

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.model.login import QrCode

ADDRESSES = (
    "https://evil.example", "https://evil.example/?x=wx2.qq.com", "https://wx.qq.com.evil.example",
    "https://wx.qq.com@evil.example", "https://wx.qq.com:secret@evil.example", "https://evil.example#wx.qq.com",
    "https://evil.example\\@wx.qq.com", "https://wx.qq.com\\.evil.example", "http://wx.qq.com", "http://wx2.qq.com",
    "https://wx.qq.com:444", "https://wx.qq.com:80", "https://wx.qq.com:0", "https://wx.qq.com:99999",
    "https://WX.QQ.COM.evil.example", "https://wx.qq.com.", "https://wx9.qq.com", "https://qq.com",
    "https://xwx.qq.com", "https://wx.qq.com%2eevil.example", "https://wx.qq.com%00.evil.example",
    "https://wx。qq。com.evil.example", "https://ｗｘ.qq.com.evil.example", "https://wх.qq.com",
    "https://xn--w-8tb.qq.com", "//evil.example", "///evil.example", "\\\\evil.example", "https:evil.example",
    "https:/evil.example", "https:///evil.example", "https://", "https://[::1]", "https://[::ffff:127.0.0.1]",
    "https://127.0.0.1", "https://127.0.0.2:443", "https://2130706433", "https://0x7f000001", "https://0177.0.0.1",
    "https://127.1", "http://169.254.169.254", "https://169.254.169.254", "https://localhost", "https://localhost.",
    "file:///etc/passwd", "gopher://127.0.0.2:70", "ftp://evil.example", "javascript:alert(1)", "data:text/html,x",
    "unix:/run/socket", "https://evil.example\r\nHost: wx.qq.com", "https://wx.qq.com\tevil.example",
)  # fmt: skip
"""Hosts to which a server could redirect a login."""

PLACES = ("redirect_origin", "exchange_origin", "exchange_location")
"""Options of the sandbox that redirect a login."""


async def log_in(client: AsyncClient) -> bool:
    """Return whether a login succeeds."""
    try:
        await client.login(show_qr=_ignore, max_codes=1)
    except WxError:
        return False
    return True


def _ignore(_: QrCode) -> None:
    return
