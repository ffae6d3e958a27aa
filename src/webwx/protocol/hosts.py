"""
Host families and profiles: the hosts of a login, and how the client identifies itself.

An account belongs to one family of hosts, which is not known before the login ends: the login's redirect names it. Only
names in the table below, and those that the user has added, are followed, compared as a whole; everything else is an
`UnsafeRedirect`. A server chosen by the user stands for all hosts at once.
"""

from __future__ import annotations

import enum
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from webwx.errors import InvalidSettings, NotOnThisHost, UnsafeRedirect

QR_ORIGIN = "https://login.weixin.qq.com"
"""Host of QR images and of the text inside them, for every family."""


_AUTHORITY = re.compile(
    r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE
)
"""A `Host` header: an address of IPv6 in brackets, or any other name or address, and perhaps a port."""


class Host(enum.StrEnum):
    """Role of a host in its family; each is the name of a field of `Hosts`."""

    MAIN = "main"
    LOGIN = "login"
    FILE = "file"
    PUSH = "push"
    QR = "qr"


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """The origins of one family, or one origin for all roles."""

    main: str
    login: str
    file: str
    push: str
    qr: str = QR_ORIGIN

    def origin(self, host: Host) -> str:
        """Return the origin of a role, such as `https://wx.qq.com`."""
        origin: str = getattr(self, host)
        return origin


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How a client identifies itself, and which calls are available to it."""

    name: str
    """`filehelper`, `web` or `desktop`."""
    entry: str
    """Host where a login starts."""
    appid: str
    """Sent with `jslogin`."""
    mmweb_appid: str = ""
    """Header of every call, if the profile has one."""
    mod: str = ""
    """Parameter of the login and of sent files, if the profile has one."""
    page: str = "/"
    """Path of its page on the main host: the `Referer` that a browser sends with every call."""
    file_app: str = "wxeb7ec651dd0aefa9"
    """The `appid` inside a file that is sent."""
    has_contacts: bool
    """Whether contacts and chatrooms exist."""
    can_push: bool = True
    """Whether the phone of an earlier login can be asked to confirm a new one without a code."""


FILEHELPER = Profile(
    name="filehelper",
    entry="filehelper.weixin.qq.com",
    appid="wx_webfilehelper",
    mmweb_appid="wx_webfilehelper",
    has_contacts=False,
    can_push=False,
)
"""File Transfer Helper web: open to every account, one chat."""

WEB = Profile(name="web", entry="wx.qq.com", appid="wx782c26e4c19acffb", has_contacts=True)
"""Full web WeChat; refused to many accounts (ret 1203)."""

DESKTOP = Profile(
    name="desktop",
    entry="wx.qq.com",
    appid="wx782c26e4c19acffb",
    mod="desktop",
    page="/?&lang=zh_CN&target=t",
    file_app="",
    has_contacts=True,
)
"""Web WeChat as the desktop client opens it; its login needs the values of a `Desktop`."""

PROFILES = {profile.name: profile for profile in (FILEHELPER, WEB, DESKTOP)}


class Desktop(msgspec.Struct, frozen=True, kw_only=True):
    """Header values of the desktop client's login; webwx includes none, so the user provides them."""

    client_version: str
    """Header `client-version`."""
    extspam: str
    """Header `extspam`."""

    def __repr__(self) -> str:
        return f"Desktop({self.client_version})"


def _family(host: str) -> Hosts:
    return Hosts(
        main=f"https://{host}",
        login=f"https://login.{host}",
        file=f"https://file.{host}",
        push=f"https://webpush.{host}",
    )


def _helper(entry: str, family: str) -> Hosts:
    return Hosts(
        main=f"https://{entry}", login=f"https://login.{family}", file=f"https://file.{family}", push=f"https://{entry}"
    )


FAMILIES: dict[str, Hosts] = {
    **{host: _family(host) for host in ("wx.qq.com", "wx2.qq.com", "wx8.qq.com", "web.wechat.com", "web2.wechat.com")},
    "filehelper.weixin.qq.com": _helper("filehelper.weixin.qq.com", "wx.qq.com"),
    "szfilehelper.weixin.qq.com": _helper("szfilehelper.weixin.qq.com", "wx2.qq.com"),
    "cmfilehelper.weixin.qq.com": _helper("cmfilehelper.weixin.qq.com", "wx8.qq.com"),
}
"""Every API host that a login may end on."""


_HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


def families(allowed_hosts: tuple[str, ...]) -> dict[str, Hosts]:
    """
    Return the API hosts that a login may start or end on: the platform's, and those added by the user.

    Raises:
        NotOnThisHost: An added host is not a plain host name.
    """
    known = FAMILIES.copy()
    for host in allowed_hosts:
        if not _HOST_NAME.fullmatch(host):
            raise NotOnThisHost(f"{host!r} in allowed_hosts is not a host name; write one like wx9.qq.com.")
        known.setdefault(host, _helper(host, "wx.qq.com") if "filehelper" in host else _family(host))
    return known


def choose(host: str | None, server: str | None, allowed_hosts: tuple[str, ...] = ()) -> tuple[Profile, Hosts]:
    """
    Return the profile and the hosts that a login starts with.

    Args:
        host: `filehelper`, `web`, `desktop`, or the name of an API host. None: `web` with a server, else `filehelper`.
        server: Origin of a server that plays all hosts, such as `http://127.0.0.1:8790`.
        allowed_hosts: Further API hosts.

    Raises:
        NotOnThisHost: There is no such host, or the server is not an origin.
    """
    known = families(allowed_hosts)
    name = host or ("web" if server else "filehelper")
    named = PROFILES.get(name)
    entry = named.entry if named else name
    if entry not in known:
        listed = ", ".join([*PROFILES, *known])
        raise NotOnThisHost(f"{name!r} is not a host of the platform; known hosts are {listed}.")
    profile = named or (FILEHELPER if "filehelper" in entry else WEB)
    return profile, single(server) if server else known[entry]


def single(server: str) -> Hosts:
    """
    Return the hosts of a server that serves all of them.

    Raises:
        NotOnThisHost: The server is not an http or https origin.
    """
    mistake = mistake_in(server) or ("holds credentials, which are not sent" if "@" in server else "")
    if mistake:
        raise NotOnThisHost(f"The server's address is invalid: it {mistake}; write one like http://127.0.0.1:8790.")
    parts = urlsplit(server)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Hosts(main=origin, login=origin, file=origin, push=origin, qr=origin)


def check_proxy(address: str) -> None:
    """
    Check the address of a proxy. The error does not contain it, because it may contain a password.

    Raises:
        InvalidSettings: The address is not valid.
    """
    if mistake := mistake_in(address):
        raise InvalidSettings(f"The proxy's address is invalid: it {mistake}; write one like http://127.0.0.1:8080.")


def mistake_in(address: str) -> str:
    """Return why an address is not an http or https origin, without repeating it; empty if it is one."""
    scheme, slashes, _ = address.partition("://")
    if not slashes:
        return "has no http:// or https:// in front"
    if scheme.lower() not in {"http", "https"}:
        return "begins with neither http:// nor https://"
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host:
        return "has no host or no valid port"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "has a path or a query, and only host and port are allowed"
    return ""


def host_name(authority: str) -> str:
    """
    Return the name or address of a `Host` header or of the authority of a URL, in lower case and without the port.

    It is empty if the text has any other form, such as `[::1]evil` or `user@127.0.0.1`, so no two readers can disagree
    about the host.
    """
    matched = _AUTHORITY.fullmatch(authority)
    return (matched["address"] or matched["name"]).lower() if matched else ""


def is_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address or `localhost`: data sent there stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # any other name
        return False


def follow(redirect_uri: str, server: str | None, allowed_hosts: tuple[str, ...] = ()) -> Hosts:
    """
    Return the family that a login's redirect names.

    With a server, all calls stay there: the redirect may name it or a known host.

    Raises:
        UnsafeRedirect: The redirect names another host, or does not have the form `https://<host>/`.
    """
    known = families(allowed_hosts)
    try:
        parts = urlsplit(redirect_uri)
        is_plain = parts.scheme == "https" and parts.port in {None, 443} and "@" not in parts.netloc
    except ValueError:
        raise UnsafeRedirect("The login was redirected to an invalid address; nothing was sent there.") from None
    if server:
        hosts = single(server)
        if f"{parts.scheme}://{parts.netloc}" == hosts.main or (is_plain and parts.hostname in known):
            return hosts
    elif is_plain and parts.hostname in known:
        return known[parts.hostname]
    raise UnsafeRedirect(
        f"The login was redirected to {parts.hostname or 'no host'!r}, which is not a known host of the platform; "
        "nothing was sent there. If it is one, add it to allowed_hosts."
    )
