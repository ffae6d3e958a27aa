"""Accounts: list, add, remove, state."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import JSONBody

from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.documented import problems
from webwx.gateway.api.fields import given_fields
from webwx.gateway.api.parameters import AccountNumber, InjectedCaller, InjectedPort
from webwx.gateway.port import AccountStatus
from webwx.gateway.problems import GatewayProblem
from webwx.model.archive import Keep
from webwx.representations.accounts import AccountSettings, AccountView, HostProfile, ReachedAccounts
from webwx.representations.times import moment, optional_moment


class SettingsChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of an account's settings; a missing field is not changed, and null means the setting of the gateway."""

    host: HostProfile | msgspec.UnsetType | None = msgspec.UNSET
    """Where to log in; it is fixed after the first login."""
    keep: Keep | Literal["off"] | msgspec.UnsetType | None = msgspec.UNSET
    """Which media are archived as they arrive."""
    rate_limit: Literal["on", "off"] | msgspec.UnsetType | None = msgspec.UNSET
    """Whether sends and changes wait for the account's rate limit."""

    def apply(self, settings: AccountSettings) -> AccountSettings:
        """Return settings with these changes."""
        return msgspec.structs.replace(settings, **given_fields(self))


class AccountToAdd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to add."""

    name: str
    settings: SettingsChange = SettingsChange()


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of an account; a missing field is not changed."""

    label: Annotated[str, msgspec.Meta(max_length=100)] | msgspec.UnsetType = msgspec.UNSET
    """The name to show; empty: the account's own name."""
    settings: SettingsChange = SettingsChange()


def view_of_account(status: AccountStatus) -> AccountView:
    """Return an account as the API shows it."""
    return AccountView(
        number=status.number, name=status.name, label=status.label, state=status.state, since=moment(status.since),
        nickname=status.nickname, host=status.host, last_sync_at=optional_moment(status.last_sync_at),
        error=status.error, queued=status.queued, settings=status.settings, pending_settings=status.pending_settings,
    )  # fmt: skip


@get("/accounts", scope="read", summary="List accounts", responses=problems())
async def list_accounts(port: InjectedPort, caller: InjectedCaller) -> ReachedAccounts:
    """Return the accounts that the key reaches."""
    statuses = [status for status in await port.list_accounts() if caller.reaches(status.number)]
    return ReachedAccounts(accounts=[view_of_account(status) for status in statuses])


@post("/accounts", scope="admin", summary="Add an account", responses=problems(409, 422, 503))
async def add_account(
    data: JSONBody[AccountToAdd], port: InjectedPort, caller: InjectedCaller, audited: InjectedAudited
) -> AccountView:
    """Add an account without logging it in; return the existing account if it has this name and these settings."""
    if caller.accounts is not None:
        raise GatewayProblem("forbidden", "A key that is bound to accounts cannot add an account.")
    settings = data.settings.apply(AccountSettings())
    account = await port.add_account(data.name, settings)
    audited.target, audited.detail = str(account.number), account.name
    status = await account.status()
    if data.settings.apply(status.settings) != status.settings:
        raise GatewayProblem("conflict", "There is an account with this name and other settings; PATCH changes them.")
    return view_of_account(status)


@get("/accounts/{account:str}", scope="read", summary="Show an account", responses=problems(404))
async def show_account(number: AccountNumber, port: InjectedPort) -> AccountView:
    """Return one account, by its number or name."""
    return view_of_account(await port.account(number).status())


@patch(
    "/accounts/{account:str}", scope="admin", summary="Change an account", responses=problems(404, 409, 422, 503)
)  # fmt: skip
async def change_account(
    number: AccountNumber, data: JSONBody[AccountChange], port: InjectedPort
) -> AccountView:  # fmt: skip
    """
    Change the label or the settings of an account. The name does not change, because the account's files have it.

    Settings apply at once, unless the account is logged in or logging in: then `pending_settings` is true, and they
    apply to its next login, or when the gateway starts again. The host cannot change after the first login, because
    the account's messages and cursors belong to it: add another account for another host.
    """
    settings = (await port.account(number).status()).settings
    changed = data.settings.apply(settings)
    if changed != settings:
        await port.configure_account(number, changed)
    if data.label is not msgspec.UNSET:
        await port.label_account(number, data.label)
    return view_of_account(await port.account(number).status())


@delete("/accounts/{account:str}", scope="admin", summary="Remove an account", responses=problems(404, 503))
async def remove_account(number: AccountNumber, port: InjectedPort, audited: InjectedAudited) -> None:
    """
    Remove an account from the gateway. Its login and its messages stay on the disk.

    The gateway no longer makes its background sends.
    """
    audited.target = str(number)  # after the removal the number cannot be looked up
    await port.remove_account(number)


accounts_router = Router(
    "/", route_handlers=[list_accounts, add_account, show_account, change_account, remove_account], tags=["accounts"]
)
