"""
Shell completion of account and contact names, from data saved on this machine.

Contacts choose their own nicknames, and the shell inserts a completed word without quoting. So only names without shell
metacharacters are offered: `$(…)` must never be one Enter away from running.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from webwx.errors import WxError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from webwx.model.identities import Identity
    from webwx.settings import Settings

_SAFE = re.compile(r"[\w@][\w@.+-]*")

_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


def numbered(text: str) -> bool:
    """Return whether a text can be an identity number."""
    return _NUMBER.fullmatch(text) is not None


def whom(text: str) -> str | int:
    """
    Parse the name of a contact: `who:12` is an identity number, any other text a name or an id.

    Plain digits are not a number, because a contact may be named 12, and its message must not go elsewhere by mistake.
    `#12` means the same as `who:12`, but shells take it for a comment unless it is quoted.
    """
    from webwx.protocol.codec import clean_text

    text = clean_text(text)
    for sign in ("who:", "#"):
        if text.startswith(sign) and numbered(text.removeprefix(sign)):
            return int(text.removeprefix(sign))
    return text


def complete_accounts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the names of accounts that have a login."""
    del param
    settings = _settings(ctx)
    return [] if settings is None else _offer({account for account, _ in settings.folder.login_paths()}, incomplete)


def complete_chats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the contacts of the saved login, for a command's first argument."""
    settings = _settings(ctx)
    if settings is None or (param.name and ctx.params.get(param.name)):
        return []
    return _chats(settings, incomplete)


def complete_each_chat(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the contacts of the saved login, for every argument."""
    del param
    settings = _settings(ctx)
    return [] if settings is None else _chats(settings, incomplete)


def complete_numbers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete identity numbers, with names in shells that can show them."""
    del param
    settings = _settings(ctx)
    if settings is None or not settings.journal_path.exists():
        return []
    import asyncio

    try:
        identities = asyncio.run(_identities(settings))
    except WxError:  # reported when the command runs
        return []
    return [
        CompletionItem(str(each.number), help=each.name if _SAFE.fullmatch(each.name) else None)
        for each in identities
        if str(each.number).startswith(incomplete)
    ]


async def _identities(settings: Settings) -> list[Identity]:
    from webwx.storage.base import IdentityQuery
    from webwx.storage.open import open_journal

    journal = open_journal(settings.journal_path)
    try:
        accounts = await journal.accounts()
        return await journal.account(accounts[0]).identities.find(IdentityQuery()) if accounts else []
    finally:
        await journal.close()


def _chats(settings: Settings, incomplete: str) -> list[CompletionItem[str]]:
    import asyncio

    from webwx.model.address_book import Contacts
    from webwx.model.contacts import FILEHELPER

    try:
        known = asyncio.run(settings.login_file().load_contacts())
    except WxError:  # reported when the command runs, as for the settings
        known = Contacts()
    return _offer({FILEHELPER, *(contact.display_name for contact in known)}, incomplete)


def _settings(ctx: click.Context) -> Settings | None:
    """Return the settings; a mistake in them is reported when the command runs, not during completion."""
    from webwx.cli.option_values import Given

    try:
        return ctx.ensure_object(Given).settings()
    except WxError:
        return None


def _offer(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete) and _SAFE.fullmatch(name)]
