"""The URL of a PostgreSQL database: its check, and its description without user and password."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from webwx.errors import InvalidSettings

SCHEMES = ("postgresql", "postgres")
"""Schemes of the URLs of PostgreSQL."""

_FORM = "write postgresql://USER@HOST/DATABASE, with a '%' escape for each special character of a password"


def is_database_url(text: str) -> bool:
    """Return whether a text has the scheme of a PostgreSQL database; it may be invalid otherwise."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme in SCHEMES


def check_database_url(url: str) -> None:
    """
    Check the form of a URL, so that no later error repeats a part of a password.

    Raises:
        InvalidSettings: It is not the URL of a database. The URL is not repeated.
    """
    if not is_database_url(url):
        raise InvalidSettings(f"This is not the URL of a PostgreSQL database; {_FORM}.")
    try:
        parts = urlsplit(url)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        ports = [port for _, _, port in (host.rpartition("]")[2].partition(":") for host in hosts) if port]
    except ValueError:
        raise InvalidSettings(f"The URL of the database is not valid; {_FORM}.") from None
    is_valid = (
        parts.netloc.count("@") <= 1
        and all(port.isascii() and port.isdecimal() for port in ports)
        and not any(sign in parts.path for sign in "@:")
        and parts.path.count("/") <= 1
        and "@" not in parts.query
        and not parts.fragment
    )
    if not is_valid:
        raise InvalidSettings(f"The URL of the database is not valid; {_FORM}.")


def split_servers(url: str) -> list[str]:
    """Return one URL for each server of a valid URL that names several, in their order."""
    before, hosts, after = _split_at_hosts(url)
    if "," not in hosts or re.search(r"[?&]port=[^&]*,", after + before):  # as many ports as hosts, in the query
        return [url]
    return [f"{before}{host}{after}" for host in hosts.split(",")]


def split_search_path(url: str) -> tuple[str, str | None]:
    """Return a valid URL without its parameter `search_path`, and the value of that; None if it has none."""
    before, separator, query = url.partition("?")
    parameters = query.split("&") if separator else []
    paths = [each for each in parameters if each.partition("=")[0] == "search_path"]
    if not paths:
        return url, None
    rest = "&".join(each for each in parameters if each not in paths)
    return (f"{before}?{rest}" if rest else before), parse_qs(paths[-1], keep_blank_values=True)["search_path"][0]


def _split_at_hosts(url: str) -> tuple[str, str, str]:
    """Return the text before the list of hosts, the list, and the text after it."""
    netloc = urlsplit(url).netloc
    if hosts := netloc.rpartition("@")[2]:
        before, _, after = url.partition(netloc)
        return before + netloc.removesuffix(hosts), hosts, after
    found = re.search(r"(?<=[?&]host=)[^&]*", url)
    return (url, "", "") if found is None else (url[: found.start()], found[0], url[found.end() :])


def has_password(url: str) -> bool:
    """Return whether a valid URL contains a password."""
    parts = urlsplit(url)
    return parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True)


def check_typed_url(url: str, what: str) -> None:
    """
    Check a URL that was typed on a command line, which other users of the machine can see.

    Args:
        url: The URL.
        what: The place of the URL, such as the name of an option.

    Raises:
        InvalidSettings: It is not the URL of a database, or has a password. The URL is not repeated.
    """
    check_database_url(url)
    if has_password(url):
        raise InvalidSettings(
            f"Every user of this machine can read a password in {what}; put it into ~/.pgpass or the file that "
            "PGPASSFILE names, or put the URL into WEBWX_STORAGE."
        )


def describe_database(url: str) -> str:
    """Return host and name of a database, without the user and the password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0] or "this machine"
    return f"the database {parts.path.strip('/') or 'of the user'!r} on {host}"
