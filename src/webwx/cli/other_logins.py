"""The sentence about saved logins that a command with these settings does not use."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from webwx.cli.language import _
from webwx.client.accounts import Accounts
from webwx.storage.account_folder import LoginName, login_name

if TYPE_CHECKING:
    from webwx.client.accounts import SavedAccount
    from webwx.settings import Settings
    from webwx.storage.base import Storage


async def other_logins(settings: Settings, storage: Storage) -> str:
    """
    Return how to use a login that is saved for another server, host or account.

    Returns:
        A sentence; empty if the login of these settings is saved, or no other one.
    """
    async with Accounts(storage) as accounts:
        found = await accounts.list_accounts()
    usable = [each for each in found if each.state in {"saved", "encrypted"}]
    if not usable or any(LoginName(each.account, each.place) == settings.login_name for each in found):
        return ""
    options = _options_of(usable[0], settings) if len(usable) == 1 else ""
    if options:
        return _("Another login is saved; pass '{options}' to use it.").format(options=options)
    return _("Other logins are saved; 'webwx accounts' lists them.")


def _options_of(saved: SavedAccount, settings: Settings) -> str:
    """Return the options that choose a saved login beside these settings; empty if there are none, or not known."""
    options = ["--account", saved.account] if saved.account != settings.account else []
    server, host = settings.server, settings.host
    if saved.place != settings.login_name.place:
        if saved.server and saved.server != server:
            server = saved.server
            options += ["--server", server]
        if saved.host and login_name(saved.account, host=host, server=server).place != saved.place:
            host = saved.host
            options += ["--host", host]
    chosen = login_name(saved.account, host=host, server=server)
    return shlex.join(options) if chosen == LoginName(saved.account, saved.place) else ""
