"""
The platform's hosts, as a sandbox serves them.

The names come from the wire's own table (`protocol.hosts`), except old names that only old clients call. On one plain
origin this module has no effect: that origin serves all hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from webwx.protocol.codec import read_pairs
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES, FILEHELPER, WEB, Host, Hosts

if TYPE_CHECKING:
    from typing import Any

    from webwx.protocol.http import Headers, Request


def _name(origin: str) -> str:
    return urlsplit(origin).hostname or ""


_OLD_NAMES = {
    "web1.wechat.com": "web.wechat.com",
    "webpush1.wechat.com": "webpush.web.wechat.com",
    "wechatapp.com": "wx.qq.com",
    "file2.wx.qq.com": "file.wx.qq.com",
    "webpush.weixin.qq.com": "webpush.wx.qq.com",
    "webpush2.weixin.qq.com": "webpush.wx.qq.com",
}
"""Names that only old clients call, each with the host that serves its calls today."""

SERVED_HOSTS = (
    frozenset(_name(family.origin(part)) for family in FAMILIES.values() for part in Host) | _OLD_NAMES.keys()
)
"""Every host name of the platform that a sandbox serves."""

_OWN_SITES = frozenset({"", "none", "same-origin"})
"""Values of `Sec-Fetch-Site` of a client, of an address that a user has entered, and of a page of the sandbox."""

_PLATFORM_ORIGINS = frozenset(f"https://{name}" for name in SERVED_HOSTS)

_HELPERS = frozenset(name for name in FAMILIES if "filehelper" in name)


def _of_today(name: str) -> str:
    return _OLD_NAMES.get(name, name)


def is_helper(request: Request) -> bool:
    """Return whether the page of File Transfer Helper made a request: by its header, or by its host."""
    mark = request.header("mmweb_appid") or read_pairs(request.query).get("mmweb_appid", "")
    return mark == FILEHELPER.mmweb_appid or _name(request.url) in _HELPERS


def page_permission(request: Request) -> Headers:
    """
    Return the CORS headers that allow a page of the platform to call its other hosts.

    The page of File Transfer Helper uploads to the file host of another family, with a header of its own; a browser
    lists the headers in the preflight request. Pages of other origins get no permission, and on one plain origin no
    page needs it.
    """
    origin = request.header("Origin")
    wanted = request.header("Access-Control-Request-Headers")
    if _name(request.url) not in SERVED_HOSTS or origin not in {family.main for family in FAMILIES.values()}:
        return ()
    permission = ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")
    if request.method != "OPTIONS":
        return permission
    return (
        *permission,
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Access-Control-Allow-Headers", wanted or "mmweb_appid, content-type"),
        ("Vary", "Origin"),
    )


def is_of_foreign_page(request: Request) -> bool:
    """
    Return whether a web page of another origin has made a request to a loopback name.

    Browsers state the site of the page in `Sec-Fetch-Site`, also for scripts and pictures, and the origin of most other
    requests. Clients state neither, or the origin of the platform's page, which they imitate.
    """
    there = urlsplit(request.url)
    own = {"", f"{there.scheme}://{there.netloc.lower()}"}
    site, origin = request.header("Sec-Fetch-Site").lower(), request.header("Origin").lower()
    return site not in _OWN_SITES or (origin not in own and origin not in _PLATFORM_ORIGINS)


def family_of(origin: str) -> Hosts | None:
    """Return the hosts of an API host's family; None on one plain origin."""
    return FAMILIES.get(_of_today(_name(origin)))


def is_foreign(endpoint: Endpoint[Any, Any], family: Hosts, origin: str) -> bool:
    """
    Return whether a call arrived at a host that does not answer it for this family.

    Login calls are answered at every host, for every family.
    """
    scheme, _, name = origin.partition("://")
    called = f"{scheme}://{_of_today(name)}"
    return endpoint.host not in {Host.LOGIN, Host.QR} and called != family.origin(endpoint.host)


def requested_host(redirect_uri: str, appid: str) -> str:
    """
    Return the API host that a login requested: from the address in its request, else from its profile.

    File Transfer Helper's page encodes the address twice, and one client does not encode it.
    """
    try:
        asked = _of_today(_name(unquote(unquote(redirect_uri))))
    except ValueError:
        asked = ""
    if asked in FAMILIES:
        return asked
    return FILEHELPER.entry if appid == FILEHELPER.appid else WEB.entry


def api_origin(origin: str, requested: str) -> str:
    """Return the API origin for a login that was polled on an origin: the requested host, or the plain origin."""
    return FAMILIES[requested].main if _name(origin) in SERVED_HOSTS else origin


def cookie_domains(origin: str) -> tuple[str, str]:
    """
    Return the `Domain` of an API host's own cookies and of those shared by the whole platform.

    Both are empty on one plain origin, which has no parent domain.
    """
    name = _name(origin)
    if name not in SERVED_HOSTS:
        return "", ""
    return name, f".{'.'.join(name.split('.')[-2:])}"
