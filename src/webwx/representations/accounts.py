"""Accounts as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from webwx.model.archive import Keep
from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery

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
    host: HostProfile | None
    """Profile of the login."""
    last_sync_at: datetime | None
    """Time of the last successful poll or fetch."""
    error: str | None
    """Why the account is degraded or logged out, or why its events are not read."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error, or if an earlier version stored it."""
    queued: int
    """Number of sends that wait for the account."""
    settings: AccountSettings
    pending_settings: bool
    """Whether `settings` were changed while the account was logged in: they apply to its next login."""


class ReachedAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts that the key reaches."""

    accounts: list[AccountView]


class SettingsChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of an account's settings; a missing field is not changed, and null means the setting of the gateway."""

    host: HostProfile | msgspec.UnsetType | None = msgspec.UNSET
    """Where to log in; it is fixed after the first login."""
    keep: Keep | Literal["off"] | msgspec.UnsetType | None = msgspec.UNSET
    """Which media are archived as they arrive."""
    rate_limit: Literal["on", "off"] | msgspec.UnsetType | None = msgspec.UNSET
    """Whether sends and changes wait for the account's rate limit."""


class AccountToAdd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to add."""

    name: str
    settings: SettingsChange = SettingsChange()


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of an account; a missing field is not changed."""

    label: Annotated[str, msgspec.Meta(max_length=100)] | msgspec.UnsetType = msgspec.UNSET
    """The name to show; empty: the account's own name."""
    settings: SettingsChange = SettingsChange()


# -- routes ------------------------------------------------------------------------------------------------------------

LIST_ACCOUNTS: ApiRoute[NoQuery, None, ReachedAccounts] = ApiRoute(
    method="GET", path="/accounts", scope="read", summary="List accounts", reply=ReachedAccounts,
)  # fmt: skip

ADD_ACCOUNT: ApiRoute[NoQuery, AccountToAdd, AccountView] = ApiRoute(
    method="POST", path="/accounts", scope="admin", summary="Add an account", body=AccountToAdd, reply=AccountView,
    problems=(409, 422, 503), created=True,
)  # fmt: skip

SHOW_ACCOUNT: ApiRoute[NoQuery, None, AccountView] = ApiRoute(
    method="GET", path=ACCOUNT, scope="read", summary="Show an account", reply=AccountView, problems=(404,),
)  # fmt: skip

CHANGE_ACCOUNT: ApiRoute[NoQuery, AccountChange, AccountView] = ApiRoute(
    method="PATCH", path=ACCOUNT, scope="admin", summary="Change an account", body=AccountChange,
    example=AccountChange(label="Home"), reply=AccountView, problems=(404, 409, 422, 503),
)  # fmt: skip

REMOVE_ACCOUNT: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path=ACCOUNT, scope="admin", summary="Remove an account", reply=type(None),
    problems=(404, 503),
)  # fmt: skip
