"""
The folder of saved logins and journals: one login for each account name and server or profile.

`logins/` holds the files of the account named `default`, and `accounts/NAME/` those of every other account, so an
account name never collides with the file name of a login.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_ACCOUNT = "default"
"""Name of the account when none is given."""

_ACCOUNT = re.compile(r"\w([\w.-]{0,62}\w)?")
_CONTACTS = ".contacts.json"


class LoginName(msgspec.Struct, frozen=True):
    """Name of a saved login and its journal."""

    account: str
    """Name that the user chose for the account."""
    place: str
    """Server or profile of the login, as the name of a file."""

    def __str__(self) -> str:
        return f"{self.account}/{self.place}"


def login_name(account: str, *, host: str | None, server: str | None) -> LoginName:
    """Return the name of an account's login on a server or with a profile."""
    return LoginName(account, _place_name(host, server))


class AccountFolder:
    """
    The paths in one folder.

    Args:
        home: The folder; it need not exist yet.
    """

    def __init__(self, home: Path) -> None:
        self.home: Path = home

    def __repr__(self) -> str:
        return f"AccountFolder({str(self.home)!r})"

    def login_path(self, account: str, *, host: str | None, server: str | None) -> Path:
        """Return the file of an account's login on a server or with a profile."""
        return self.path_of(login_name(account, host=host, server=server))

    def path_of(self, name: LoginName) -> Path:
        """Return the file of a login."""
        return self._folder_of(name.account) / f"{name.place}.json"

    def login_paths(self) -> Iterator[tuple[str, Path]]:
        """Yield the account name and the file of every saved login."""
        for account, path in self._paths("[!.]*.json"):
            if not path.name.endswith(_CONTACTS):
                yield account, path

    def journal_paths(self) -> Iterator[tuple[str, Path]]:
        """Yield the account name and the file of every journal."""
        return self._paths("[!.]*.journal")

    def _paths(self, pattern: str) -> Iterator[tuple[str, Path]]:
        named = sorted(path.name for path in self.home.glob("accounts/*"))
        for account in (DEFAULT_ACCOUNT, *named):
            for path in sorted(self._folder_of(account).glob(pattern)):
                yield account, path

    def _folder_of(self, account: str) -> Path:
        return self.home / "logins" if account == DEFAULT_ACCOUNT else self.home / "accounts" / account


def check_account_name(name: str) -> str:
    """
    Return an account name that can be the name of a folder.

    Raises:
        InvalidSettings: The name cannot be the name of a folder.
    """
    if not _ACCOUNT.fullmatch(name):
        raise InvalidSettings(
            f"{name!r} cannot name an account; use letters, digits and, between them, '.', '-' and '_'.",
            field="name",
        )
    return name


def _place_name(host: str | None, server: str | None) -> str:
    # One server can hold a login of each profile, and web is the default profile of a server.
    profile = host or ("web" if server else "filehelper")
    if not server:
        return _file_name(profile)
    origin = _file_name(re.sub(r"^\w+://", "", server.lower()))
    return origin if profile == "web" else f"{origin}-{_file_name(profile)}"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "unnamed"
