"""
The cookie jar, an immutable value. Applying an answer's cookies returns a new jar; the time is an argument.

Cookies are identified by domain, path and name, because the platform sets the same name on several domains of one
login. A cookie for one host and one of the same name for all its subdomains coexist, and the former is sent first.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from urllib.parse import urlsplit

import msgspec

from webwx.protocol.http import Headers, http_time

MAX_COOKIE = 4096
"""Maximum length of a `Set-Cookie` value; this limit and the next two are those of RFC 6265, 6.1."""

MAX_OF_DOMAIN = 50
"""Maximum number of cookies of one domain."""

MAX_COOKIES = 300
"""Maximum number of cookies of a login; RFC 6265 has 3,000 for all sites that a browser visits."""

MAX_HEADER = 16 * 1024
"""Maximum length of a `Cookie` header, which many servers limit."""


class Cookie(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie."""

    name: str
    value: str
    domain: str
    """Without a leading dot."""
    path: str = "/"
    host_only: bool = True
    """Whether it is sent to this host only, not to its subdomains."""
    secure: bool = False
    """Whether it is sent over https only."""
    expires: float | None = None
    """Seconds since 1970; None lasts as long as the login."""

    def __repr__(self) -> str:
        return f"Cookie({self.name}, {self.domain})"

    @property
    def key(self) -> tuple[str, bool, str, str]:
        """Identity of the cookie: a later one with the same key replaces it."""
        return self.domain, self.host_only, self.path, self.name

    def goes_to(self, host: str, path: str, *, is_https: bool, now: float) -> bool:
        """Return whether a request to this address includes the cookie."""
        return (
            (host == self.domain or (not self.host_only and host.endswith("." + self.domain)))
            and (path == self.path or path.startswith(self.path.rstrip("/") + "/"))
            and (is_https or not self.secure)
            and (self.expires is None or self.expires > now)
        )


class Jar(msgspec.Struct, frozen=True):
    """All cookies of a login."""

    cookies: tuple[Cookie, ...] = ()

    def __repr__(self) -> str:
        return f"Jar({', '.join(cookie.name for cookie in self.cookies)})"

    def header(self, url: str, now: float) -> str:
        """Return the `Cookie` header for an address, the most specific cookie first; empty if no cookie matches."""
        parts = urlsplit(url)
        host, is_https = parts.hostname or "", parts.scheme == "https"
        fitting, room = [], MAX_HEADER
        for cookie in self.cookies:  # the oldest first: a flood of cookies does not displace those of the login
            size = len(cookie.name) + len("=") + len(cookie.value) + len("; ")
            if size <= room and cookie.goes_to(host, parts.path or "/", is_https=is_https, now=now):
                fitting.append(cookie)
                room -= size
        fitting.sort(key=lambda cookie: (-len(cookie.path), -len(cookie.domain), not cookie.host_only))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def value(self, name: str, url: str, now: float) -> str:
        """Return the cookie value for an address, or an empty string."""
        for part in self.header(url, now).split("; "):
            key, _, value = part.partition("=")
            if key == name:
                return value
        return ""

    def updated(
        self, url: str, set_cookies: tuple[str, ...], now: float, *, one_origin: bool = False, ahead: float = 0.0
    ) -> Jar:
        """
        Apply an answer's `Set-Cookie` values.

        A cookie for a foreign domain is dropped, and so is one that is too large or that does not fit into a full jar.
        A new value keeps the position of the old one.

        Args:
            url: Address of the answer.
            set_cookies: The values.
            now: Time of the answer, by the clock that expires cookies.
            one_origin: The answer comes from a server that serves all hosts at one address: every cookie belongs to
                that address, whatever domain it names, and is sent there over plain http too.
            ahead: Seconds by which the server's clock was ahead of that clock when it answered.
        """
        if not set_cookies:
            return self
        kept = {c.key: c for c in self.cookies if c.expires is None or c.expires > now}
        host = urlsplit(url).hostname or ""
        for text in set_cookies:
            cookie = parse_cookie(text, host, now, one_origin=one_origin, ahead=ahead)
            if cookie is None:
                continue
            if cookie.expires is None or cookie.expires > now:
                kept[cookie.key] = cookie
            else:
                kept.pop(cookie.key, None)
        return Jar(_bounded(tuple(kept.values())))

    def aged(self, seconds: float) -> Jar:
        """Return the jar for a clock that was set forward by this many seconds without time passing."""
        return Jar(
            tuple(
                cookie if cookie.expires is None else msgspec.structs.replace(cookie, expires=cookie.expires + seconds)
                for cookie in self.cookies
            )
        )

    def rebased(self, before: Jar, onto: Jar) -> Jar:
        """Return `onto` with the changes made here since `before`; two processes may both have received cookies."""
        old, new = ({cookie.key: cookie for cookie in jar.cookies} for jar in (before, self))
        kept = {cookie.key: cookie for cookie in onto.cookies if cookie.key in new or cookie.key not in old}
        changed = {key: cookie for key, cookie in new.items() if old.get(key) != cookie}
        return Jar(_bounded(tuple((kept | changed).values())))


def _bounded(cookies: tuple[Cookie, ...]) -> tuple[Cookie, ...]:
    """Return as many of the cookies as a jar may contain, oldest first."""
    if len(cookies) <= MAX_OF_DOMAIN:
        return cookies
    room: defaultdict[str, int] = defaultdict(lambda: MAX_OF_DOMAIN)
    kept = []
    for cookie in cookies:
        if room[cookie.domain] > 0:
            room[cookie.domain] -= 1
            kept.append(cookie)
    return tuple(kept[:MAX_COOKIES])


class Carried:
    """
    The headers of requests, built once for each address until a cookie expires.

    Args:
        jar: The cookies.
        common: Headers of every request.
    """

    def __init__(self, jar: Jar, common: Headers = ()) -> None:
        self.jar = jar
        self._common = common
        self._written: dict[str, tuple[float, float, Headers]] = {}
        self._asked: tuple[str, Headers, Headers] = ("", (), ())
        """Arguments of the last call; most requests repeat them."""
        self._since = self._until = 0.0
        self._headers: Headers = ()

    def to(self, url: str, own: Headers, now: float, last: Headers = ()) -> Headers:
        """Return the headers for an address: a request's own, the common ones, a `Cookie` if needed, and the last."""
        asked = url, own, last
        if asked != self._asked or not self._since <= now < self._until:
            self._since, self._until, carried = self._to(url, now)
            self._asked, self._headers = asked, own + carried + last
        return self._headers

    def _to(self, url: str, now: float) -> tuple[float, float, Headers]:
        place = url.partition("?")[0]
        known = self._written.get(place)
        if known is None or not known[0] <= now < known[1]:
            cookies = self.jar.header(url, now)
            headers = (*self._common, ("Cookie", cookies)) if cookies else self._common
            ends = (cookie.expires for cookie in self.jar.cookies if cookie.expires is not None)
            until = min((end for end in ends if end > now), default=math.inf)
            known = self._written[place] = (now, until, headers)
        return known


def parse_cookie(text: str, host: str, now: float, *, one_origin: bool, ahead: float = 0.0) -> Cookie | None:
    """Decode one `Set-Cookie` value; None if it is invalid, too large or not for this host."""
    if len(text) > MAX_COOKIE:
        return None
    pair, *attributes = text.split(";")
    name, equals, value = (piece.strip() for piece in pair.partition("="))
    if not equals or not name:
        return None
    given = {key.strip().lower(): content.strip() for key, _, content in (part.partition("=") for part in attributes)}
    domain = given.get("domain", "").lstrip(".").lower()
    if one_origin:
        domain = ""
    elif domain and host != domain and not (host.endswith("." + domain) and "." in domain):
        return None
    path = given.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        path=path if path.startswith("/") else "/",
        host_only=not domain,
        secure="secure" in given and not one_origin,
        expires=_expiry(given, now, ahead),
    )


def _expiry(given: dict[str, str], now: float, ahead: float) -> float | None:
    age = given.get("max-age", "")
    if re.fullmatch(r"-?\d{1,12}", age):
        return now + int(age)
    date = http_time(given["expires"]) if "expires" in given else None
    if date is None:
        return None
    # A wrong date of the answer deletes no cookie: one that is sent for too long does no harm.
    return date if date - ahead <= now < date else date - ahead


def read_cookie_header(text: str) -> dict[str, str]:
    """Decode a request's `Cookie` header; the first of two equal names counts."""
    pairs: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            pairs.setdefault(name, value)
    return pairs
