"""
Shell completion of account and contact names, from stored data.

Contacts choose their own nicknames, and the shell inserts a completed word without quoting. So only names without shell
metacharacters are offered: `$(…)` must never be one Enter away from running.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from click.shell_completion import CompletionItem

from webwx.errors import WxError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    import click

    from webwx.gateway.adapters.program import StoredProgram
    from webwx.model.address_book import Contacts
    from webwx.model.identities import Identity
    from webwx.settings import Settings
    from webwx.storage.base import Storage

T = TypeVar("T")

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
    if settings is None:
        return []
    if settings.storage is None:  # quickly, without the modules that open a storage
        return _offer({account for account, _ in settings.folder.login_paths()}, incomplete)
    return _offer(_asked(settings, _accounts, set()), incomplete)


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
    if settings is None:
        return []
    none: list[Identity] = []
    return [
        CompletionItem(str(each.number), help=each.name if _SAFE.fullmatch(each.name) else None)
        for each in _asked(settings, _identities, none)
        if str(each.number).startswith(incomplete)
    ]


def complete_programs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the ids of programs of adapters, with names in shells that can show them."""
    del param
    settings = _settings(ctx)
    if settings is None:
        return []
    none: list[StoredProgram] = []
    return [
        CompletionItem(each.id, help=each.name if _SAFE.fullmatch(each.name) else None)
        for each in _asked(settings, _programs, none)
        if each.id.startswith(incomplete)
    ]


def read_to_complete(
    ctx: click.Context, read: Callable[[Settings, Storage], Coroutine[Any, Any, T]], otherwise: T
) -> T:  # fmt: skip
    """Return what is read from the storage; something else if the settings or the storage cannot be read."""
    settings = _settings(ctx)
    return otherwise if settings is None else _asked(settings, read, otherwise)


def help_of(name: str) -> str | None:
    """Return a name that another person has chosen as the help of a completion; None if a shell could run it."""
    return name if _SAFE.fullmatch(name) else None


def _chats(settings: Settings, incomplete: str) -> list[CompletionItem[str]]:
    from webwx.model.address_book import Contacts
    from webwx.model.contacts import FILEHELPER

    known = _asked(settings, _contacts, Contacts())
    return _offer({FILEHELPER, *(contact.display_name for contact in known)}, incomplete)


def _asked(settings: Settings, read: Callable[[Settings, Storage], Coroutine[Any, Any, T]], otherwise: T) -> T:
    """Return what is read from the storage; an error is reported when the command runs, as for the settings."""
    import asyncio

    async def read_and_close() -> T:
        storage = settings.open_storage()
        try:
            return await read(settings, storage)
        finally:
            await storage.close()

    try:
        return asyncio.run(read_and_close())
    except WxError:
        return otherwise


async def _accounts(settings: Settings, storage: Storage) -> set[str]:
    del settings
    return {name.account for name in await storage.list_changes()}


async def _identities(settings: Settings, storage: Storage) -> list[Identity]:
    from webwx.storage.tables.identities.query import IdentityQuery

    name = settings.login_name
    if not await storage.has_journal(name):  # so that none is created
        return []
    journal = storage.journal(name)
    accounts = await journal.accounts()
    return await journal.account(accounts[0]).identities.find(IdentityQuery()) if accounts else []


async def _programs(settings: Settings, storage: Storage) -> list[StoredProgram]:
    import time

    from webwx.gateway.adapters.programs import Programs

    del settings
    return await Programs(storage.records(), time.time).find()


async def _contacts(settings: Settings, storage: Storage) -> Contacts:
    return await storage.login(settings.login_name).load_contacts()


def _settings(ctx: click.Context) -> Settings | None:
    """Return the settings; a mistake in them is reported when the command runs, not during completion."""
    from webwx.cli.option_values import OptionValues

    try:
        return ctx.ensure_object(OptionValues).settings()
    except WxError:
        return None


def _offer(names: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete) and _SAFE.fullmatch(name)]
