"""What commands read and change of a gateway that need not run: its records, its accounts and its address."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.gateway.accounts.numbers import NumberedAccount
    from webwx.settings import Settings
    from webwx.storage.tables.records import RecordStore


@asynccontextmanager
async def open_records(settings: Settings) -> AsyncIterator[RecordStore]:
    """
    Open the records of the gateway.

    Raises:
        BadInput: A change of them within the context is invalid.
    """
    storage = settings.open_storage()
    try:
        yield storage.records()
    except InvalidRequest as error:
        raise BadInput(str(error)) from None
    finally:
        await storage.close()


async def chosen_account(settings: Settings, records: RecordStore) -> NumberedAccount:
    """
    Return the account that the user has named; the only one, if the user has named none.

    Raises:
        BadInput: The gateway does not know the account, or it has several and none of the default name.
    """
    from webwx.gateway.accounts.numbers import AccountNumbers

    numbers = AccountNumbers(records, time.time)
    account = await numbers.get(settings.account)
    if account is not None:
        return account
    found = await numbers.find()
    if "account" in settings.sources or not found:
        raise BadInput(
            _("The gateway does not have the account {account!r} yet; start 'webwx serve' once.").format(
                account=settings.account
            )
        )
    if len(found) > 1:
        raise BadInput(_("Choose one with --account: {names}.").format(names=", ".join(each.name for each in found)))
    return found[0]


def gateway_url(settings: Settings) -> str:
    """Return the address of the gateway of this folder; the default one, if none runs."""
    from webwx.gateway.config import DEFAULT_PORT
    from webwx.gateway.running import find_running

    running = find_running(settings.home)
    return running.url if running is not None else f"http://127.0.0.1:{DEFAULT_PORT}"


def adapter_url(settings: Settings, name: str) -> str:
    """Return the address of an adapter: its own listener of the gateway of this folder, or its path there."""
    from webwx.gateway.adapters.registry import PREFIX
    from webwx.gateway.running import find_running

    running = find_running(settings.home)
    own = None if running is None else running.adapters.get(name)
    return own or f"{gateway_url(settings)}{PREFIX}{name}"
