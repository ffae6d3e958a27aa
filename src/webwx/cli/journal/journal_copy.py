"""`webwx journal import` and `webwx journal copy`: move an account between files and a PostgreSQL database."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webwx.cli.exits import BadInput, CommandFailed, explain
from webwx.cli.language import _
from webwx.cli.progress import shown_rows
from webwx.cli.session import Session, command
from webwx.errors import WxError
from webwx.storage.account_folder import LoginName
from webwx.storage.database_url import check_typed_url, describe_database, is_database_url
from webwx.storage.encryption import read_encrypted
from webwx.storage.login import LoginFile
from webwx.storage.open import open_journal_file, open_storage, open_transfer
from webwx.storage.transfer import copy_journal, release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.settings import Settings
    from webwx.storage.base import Journal
    from webwx.storage.saved_login import LoginStore

_with_login = click.option(
    "--with-login", is_flag=True, help="Move the saved login as well, so that no new login is necessary."
)


@command(
    "import",
    examples=(
        "webwx journal import ~/.local/state/webwx/logins/wx.qq.com.journal --storage postgresql://db/webwx",
        "webwx journal import postgresql://webwx@db/webwx --with-login",
        "webwx journal import --all --with-login --storage postgresql://db/webwx",
    ),
)
@click.argument("source", metavar="[FROM]", default="")
@click.option("--all", "is_all", is_flag=True, help="Copy the journals of all logins in this machine's folder.")
@_with_login
async def import_journal(session: Session, source: str, is_all: bool, with_login: bool) -> None:
    """
    Copy a journal from FROM into the storage of this login, and verify the copy.

    FROM is the file of a journal, if this login is stored in a PostgreSQL database, or else the URL of a database.
    Copies everything or nothing: messages, sends, contacts, identities, positions and dead letters of consumers,
    conversations, timers and archived media. Nothing may use either journal meanwhile.

    With --all instead of FROM, each login of this machine's folder is copied into the database under its own name. A
    journal that the database has already is left out, so the command can be run again after an error.
    """
    if bool(source) == is_all:
        raise BadInput(_("Pass the file or the database to import from, or --all."))
    if is_all:
        await _import_all(session, with_login=with_login)
        return
    other, name = _typed(source), session.settings.login_name
    await _copy(session, name, other, _own(session.settings), other, with_login=with_login)


async def _import_all(session: Session, *, with_login: bool) -> None:
    """
    Copy the journals of all logins of this machine's folder.

    Raises:
        CommandFailed: At least one was not copied.
    """
    settings, url = session.settings, session.require_database()
    failed = 0
    for account, path in settings.folder.journal_paths():
        name = LoginName(account, path.stem)
        storage = open_storage(url, passphrase=settings.passphrase, retention_days=0)
        try:
            is_known = await storage.has_journal(name)
        finally:
            await storage.close()
        if is_known:
            session.output.remark(_("{name} is in the database already.").format(name=name))
            continue
        try:
            if await _holds_nothing(path):
                session.output.remark(_("{name} holds no account.").format(name=name))
                continue
            await _copy(session, name, path, url, path, with_login=with_login)
        except (WxError, BadInput) as error:
            failed += 1
            session.output.report(_("{name} was not copied: {reason}").format(name=name, reason=explain(error)[1]))
    if failed:
        raise CommandFailed(
            _("{failed} journals were not copied; run the command again when the reasons are gone.").format(
                failed=failed
            )
        )


@command(
    "copy",
    examples=("webwx journal copy postgresql://webwx@db/webwx --with-login", "webwx journal copy me.journal"),
)
@click.argument("target", metavar="TO")
@_with_login
async def copy(session: Session, target: str, with_login: bool) -> None:
    """
    Copy the journal of this login to TO, and verify the copy.

    TO is the URL of a PostgreSQL database, or a new file if this login is stored in a database. Copies everything or
    nothing, as 'webwx journal import' does.
    """
    other = _typed(target)
    await _copy(session, session.settings.login_name, _own(session.settings), other, other, with_login=with_login)


def _own(settings: Settings) -> Path | str:
    return settings.storage or settings.journal_path


def _typed(place: str) -> Path | str:
    if not is_database_url(place):
        return Path(place)
    check_typed_url(place, _("an argument"))
    return place


async def _copy(
    session: Session, name: LoginName, source: Path | str, target: Path | str, other: Path | str, *, with_login: bool
) -> None:
    if isinstance(source, str) == isinstance(target, str):
        raise BadInput(_("A journal is copied between a file and a PostgreSQL database; pass --storage or a URL."))
    if isinstance(source, Path) and not source.is_file():  # noqa: ASYNC240 - it takes no time
        raise BadInput(_("There is no journal {source!r}.").format(source=str(source)))
    async with AsyncExitStack() as stack:
        moved = None
        if with_login:
            moved = await stack.enter_async_context(_moved_login(session.settings, name, source, target))
        await _release(name, source)
        with shown_rows() as show:
            copied = await copy_journal(open_transfer(source, name), open_transfer(target, name), show)
    rows = {table: sum(each[table] for each in copied) for table in copied[0]}
    place = describe_database(other) if isinstance(other, str) else str(other)
    message = (
        _(
            "{entries:,} events, {outbox:,} sends, {consumers:,} consumers, {identities:,} identities and {files:,} "
            "files are copied from {place}; both journals hold the same."
        )
        if other is source
        else _(
            "{entries:,} events, {outbox:,} sends, {consumers:,} consumers, {identities:,} identities and {files:,} "
            "files are copied to {place}; both journals hold the same."
        )
    )
    session.output.result(
        message.format(place=place, **rows),
        accounts=len(copied), rows=rows, place=place, verified=True, login=bool(moved),
    )  # fmt: skip
    then = _("The login was moved.") if moved else _("Run 'webwx login' where you continue.")
    session.output.remark(_("{then} Do not use the other journal any more.").format(then=then))


@asynccontextmanager
async def _moved_login(
    settings: Settings, name: LoginName, source: Path | str, target: Path | str
) -> AsyncIterator[bool]:  # fmt: skip
    """
    Hold a saved login while its journal is copied, and move it if the block succeeds.

    Yields whether there is a login.

    Raises:
        AlreadyRunning: A process syncs it.
        BadInput: The target has a login.
    """
    async with _old_login(settings, name, source) as old, _login_at(settings, name, target) as new, old.syncing():
        saved = await old.load()
        if await new.load() is not None:
            raise BadInput(_("There is a saved login at the target; run 'webwx logout' there, or omit --with-login."))
        await new.prepare()
        yield saved is not None
        if saved is not None:
            await new.save(saved)
            await new.save_contacts(await old.load_contacts())
            await old.clear()


@asynccontextmanager
async def _old_login(settings: Settings, name: LoginName, place: Path | str) -> AsyncIterator[LoginStore]:
    """Return the saved login beside a journal; the passphrase is that of the other one if this one has none."""
    if isinstance(place, Path) and not _is_encrypted(place.with_suffix(".json")):
        yield LoginFile(place.with_suffix(".json"))
        return
    async with _login_at(settings, name, place) as login:
        yield login


def _is_encrypted(path: Path) -> bool:
    try:
        return read_encrypted(path.read_bytes()) is not None
    except OSError:  # reported when the login is loaded
        return False


@asynccontextmanager
async def _login_at(settings: Settings, name: LoginName, place: Path | str) -> AsyncIterator[LoginStore]:
    """Return the place of a saved login beside a journal, encrypted as configured."""
    if isinstance(place, Path) and place != settings.folder.path_of(name).with_suffix(".journal"):
        yield LoginFile(place.with_suffix(".json"), passphrase=settings.passphrase)
        return
    storage = open_storage(
        place if isinstance(place, str) else settings.home,
        passphrase=settings.passphrase,
        passphrase_from=settings.passphrase_from,
    )
    try:
        yield storage.login(name)
    finally:
        await storage.close()


async def _holds_nothing(path: Path) -> bool:
    """Return whether no account has logged in with a journal in a file."""
    journal = open_journal_file(path, retention_days=0)
    try:
        return not await journal.accounts()
    finally:
        await journal.close()


async def _release(name: LoginName, source: Path | str) -> None:
    """Store pending changes of the source; raise if a process uses it."""
    if isinstance(source, Path):
        journal: Journal = open_journal_file(source, retention_days=0)
        try:
            await release(journal)
        finally:
            await journal.close()
        return
    storage = open_storage(source, retention_days=0)
    try:
        await release(storage.journal(name))
    finally:
        await storage.close()
