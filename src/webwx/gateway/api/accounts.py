"""Accounts: list, add, remove, state."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import msgspec
from litestar import Response, Router
from litestar.params import JSONBody

from webwx.errors import NotOnThisHost
from webwx.gateway.accounts.account import AccountStatus
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.parameters import AccountNumber, InjectedCaller, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.representations.accounts import (
    ADD_ACCOUNT,
    CHANGE_ACCOUNT,
    LIST_ACCOUNTS,
    REMOVE_ACCOUNT,
    SHOW_ACCOUNT,
    AccountChange,
    AccountSettings,
    AccountToAdd,
    AccountView,
    ReachedAccounts,
    SettingsChange,
)
from webwx.representations.fields import given_fields
from webwx.representations.route import API
from webwx.representations.times import moment, optional_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.representations.accounts import HostProfile


def _changed(settings: AccountSettings, change: SettingsChange) -> AccountSettings:
    """Return settings with changes."""
    return msgspec.structs.replace(settings, **given_fields(change))


def view_of_account(status: AccountStatus) -> AccountView:
    """Return an account as the API shows it."""
    return AccountView(
        number=status.number, name=status.name, label=status.label, state=status.state, since=moment(status.since),
        nickname=status.nickname, host=cast("HostProfile | None", status.host),
        last_sync_at=optional_moment(status.last_sync_at),
        error=status.error, error_code=status.error_code, queued=status.queued, settings=status.settings,
        pending_settings=status.pending_settings,
    )  # fmt: skip


@contextmanager
def _naming_host() -> Iterator[None]:
    """Name the field in the refusal of a host, which the library raises without a request."""
    try:
        yield
    except NotOnThisHost as refused:
        raise NotOnThisHost(str(refused), field="settings.host") from None


@serve(LIST_ACCOUNTS)
async def list_accounts(port: InjectedPort, caller: InjectedCaller) -> ReachedAccounts:
    """Return the accounts that the key reaches."""
    statuses = [status for status in await port.list_accounts() if caller.reaches(status.number)]
    return ReachedAccounts(accounts=[view_of_account(status) for status in statuses])


@serve(ADD_ACCOUNT)
async def add_account(
    data: JSONBody[AccountToAdd], port: InjectedPort, caller: InjectedCaller, audited: InjectedAudited
) -> Response[AccountView]:
    """Add an account without logging it in; return the existing account if it has this name and these settings."""
    if caller.accounts is not None:
        raise GatewayProblem("forbidden", "A key that is bound to accounts cannot add an account.")
    settings = _changed(AccountSettings(), data.settings)
    with _naming_host():
        account = await port.add_account(data.name, settings)
    audited.target, audited.detail = str(account.number), account.name
    status = await account.status()
    if _changed(status.settings, data.settings) != status.settings:
        raise GatewayProblem("conflict", "There is an account with this name and other settings; PATCH changes them.")
    return Response(view_of_account(status), headers={"Location": API + SHOW_ACCOUNT.at(account.number)})


@serve(SHOW_ACCOUNT)
async def show_account(number: AccountNumber, port: InjectedPort) -> AccountView:
    """Return one account, by its number or name."""
    return view_of_account(await port.account(number).status())


@serve(CHANGE_ACCOUNT)
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
    changed = _changed(settings, data.settings)
    if changed != settings:
        with _naming_host():
            await port.configure_account(number, changed)
    if data.label is not msgspec.UNSET:
        await port.label_account(number, data.label)
    return view_of_account(await port.account(number).status())


@serve(REMOVE_ACCOUNT)
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
