"""Accounts as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from webwx.model.archive import Keep

AccountState = Literal["new", "logging_in", "online", "degraded", "logged_out"]

HostProfile = Literal["filehelper", "web", "desktop"]
"""`filehelper`: File Transfer Helper web. `web`: web WeChat. `desktop`: web WeChat as the desktop client opens it."""


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one account; null: the setting of the gateway."""

    host: HostProfile | None = None
    """Where to log in."""
    keep: Keep | Literal["off"] | None = None
    """Which media are archived as they arrive."""
    rate_limit: Literal["on", "off"] | None = None
    """Whether sends and changes wait for the account's rate limit."""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account."""

    number: int
    """The account's number; it is never reused."""
    name: str
    """The account's name on this machine, which never changes."""
    label: str
    """The name that the user wants to see; empty: `name`."""
    state: AccountState
    since: datetime
    """Time of the last change of the state."""
    nickname: str | None
    host: str | None
    """Profile of the login: `filehelper`, `web` or `desktop`."""
    last_sync_at: datetime | None
    """Time of the last successful poll or fetch."""
    error: str | None
    """Why the account is degraded or logged out, or why its events are not read."""
    queued: int
    """Number of sends that wait for the account."""
    settings: AccountSettings
    pending_settings: bool
    """Whether `settings` were changed while the account was logged in: they apply to its next login."""


class ReachedAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts that the key reaches."""

    accounts: list[AccountView]
