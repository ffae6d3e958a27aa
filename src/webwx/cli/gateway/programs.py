"""`webwx serve program`: programs that use an account through an adapter, such as AI agents over MCP."""

from __future__ import annotations

import dataclasses
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from click.shell_completion import CompletionItem

from webwx.cli.exits import BadInput
from webwx.cli.gateway.pending_sends import (
    AskingProgram,
    answer_pending,
    complete_program_codes,
    find_pending,
    print_pending,
)
from webwx.cli.gateway.stored import adapter_url, chosen_account, open_records
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.names import complete_each_chat, complete_programs
from webwx.cli.options import example_text, with_common_options
from webwx.cli.output import printable
from webwx.cli.session import Session, command
from webwx.cli.words import word
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from webwx.gateway.adapters.permissions import ChatPermissions
    from webwx.gateway.adapters.program import StoredProgram
    from webwx.gateway.adapters.programs import NewProgram, Programs
    from webwx.settings import Settings
    from webwx.storage.tables.records import RecordStore


@with_common_options
@click.group(
    "program",
    cls=CliGroup,
    epilog=example_text(
        "webwx serve program create --name assistant --adapter mcp",
        "webwx serve program change 8hT2kQ9x --see filehelper --see 阿华",
        "webwx serve program list",
    ),
)
def program() -> None:
    """
    Connect programs that speak another protocol than the API, such as AI agents (MCP).

    A program has a token of its own, one account, and two lists of chats: those that it sees, and those to which it
    writes. These commands work with and without a running gateway.
    """


def _complete_adapters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    from webwx.gateway.adapters.registry import ADAPTERS

    del ctx, param
    return [CompletionItem(name, help=each.title) for name, each in ADAPTERS.items() if name.startswith(incomplete)]


_see_help = "A chat that it sees: a name, a number, '*' for all, or '' for none; repeatable."
_write_help = "A chat to which it writes; repeatable."
_option_help = "An option of the adapter, such as manage=true; without a value, its default; repeatable."

_id_argument = click.argument("program_id", metavar="ID", shell_complete=complete_programs)


@command(
    "create",
    group=program,
    examples=(
        "webwx serve program create --name assistant --adapter mcp",
        "webwx serve program create --name assistant --adapter mcp --see filehelper --see 阿华 --write filehelper",
        "webwx serve program create --name assistant --adapter mcp --option sends_in_a_day=20 --json",
    ),
)
@click.option("--name", required=True, help="Name for people.")
@click.option("--adapter", required=True, help="The protocol, such as mcp.", shell_complete=_complete_adapters)
@click.option(
    "--see", multiple=True, metavar="CHAT", help=f"{_see_help}  [default: {FILEHELPER}]",
    shell_complete=complete_each_chat,
)  # fmt: skip
@click.option(
    "--write", multiple=True, metavar="CHAT", help=f"{_write_help}  [default: {FILEHELPER}]",
    shell_complete=complete_each_chat,
)  # fmt: skip
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help=_option_help)
@click.option("--disable", is_flag=True, help="Create it without accepting its token yet.")
async def create(
    session: Session, name: str, adapter: str, see: tuple[str, ...], write: tuple[str, ...],
    options: tuple[str, ...], disable: bool,
) -> None:  # fmt: skip
    """
    Create a program and print its token.

    The token is shown only once; the gateway stores only its hash. Without lists the program sees and writes File
    Transfer Helper only.
    """
    from webwx.gateway.adapters.permissions import ChatPermissions
    from webwx.gateway.adapters.program import StoredProgram

    async with _opened(session.settings) as opened:
        account = await chosen_account(session.settings, opened.records)
        lists = await _lists(session, account.name, see, write)
        permissions = lists.replaced_in(ChatPermissions())
        made = await opened.programs.create(
            StoredProgram(
                id="", name=name, adapter=adapter, account=account.number, digest="", created_at=0,
                enabled=not disable, permissions=permissions, options=_changed_options({}, options),
            )
        )  # fmt: skip
        await opened.audit("create", made.program.id, adapter)
    _print_token(session, opened.programs, made)


@command("list", group=program, examples=("webwx serve program list --json",))
async def list_programs(session: Session) -> None:
    """List the programs, without their tokens."""
    async with _opened(session.settings) as opened:
        found = await opened.programs.find()
    for each in found:
        session.output.line(_line(each), _fields(opened.programs, each))
    if not found:
        session.output.remark(_("There is no program; 'webwx serve program create' makes one."))


@command("show", group=program, examples=("webwx serve program show 8hT2kQ9x",))
@_id_argument
async def show(session: Session, program_id: str) -> None:
    """Show a program with its lists of chats and its options."""
    async with _opened(session.settings) as opened:
        found = await opened.get(program_id)
    _print(session, opened.programs, found)


@command(
    "change",
    group=program,
    examples=(
        "webwx serve program change 8hT2kQ9x --see filehelper --see 阿华",
        "webwx serve program change 8hT2kQ9x --write ''",
        "webwx serve program change 8hT2kQ9x --option manage=true",
    ),
)
@click.option("--name", help="Name for people.")
@click.option(
    "--see", multiple=True, metavar="CHAT", help=f"{_see_help} Replaces the list.", shell_complete=complete_each_chat
)
@click.option(
    "--write", multiple=True, metavar="CHAT", help=f"{_write_help} Replaces the list.",
    shell_complete=complete_each_chat,
)  # fmt: skip
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help=_option_help)
@_id_argument
async def change(
    session: Session, program_id: str, name: str | None, see: tuple[str, ...], write: tuple[str, ...],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """
    Change the name, the lists of chats or the options of a program.

    Its open connections end, and it connects again. What is not named stays as it is.
    """
    async with _opened(session.settings) as opened:
        account = await opened.account_name(await opened.get(program_id))
        lists = await _lists(session, account, see, write)

        def changed(found: StoredProgram) -> StoredProgram:
            return msgspec.structs.replace(
                found, name=found.name if name is None else name,
                permissions=lists.replaced_in(found.permissions),
                options=_changed_options(found.options, options),
            )  # fmt: skip

        after = await opened.change(program_id, changed)
        await opened.audit("change", program_id)
    _print(session, opened.programs, after)


@command("enable", group=program, examples=("webwx serve program enable 8hT2kQ9x",))
@_id_argument
async def enable(session: Session, program_id: str) -> None:
    """Accept the token of a program again."""
    await _switch(session, program_id, is_on=True)


@command("disable", group=program, examples=("webwx serve program disable 8hT2kQ9x",))
@_id_argument
async def disable(session: Session, program_id: str) -> None:
    """Refuse the token of a program until 'enable'; a running gateway refuses it at once."""
    await _switch(session, program_id, is_on=False)


async def _switch(session: Session, program_id: str, *, is_on: bool) -> None:
    async with _opened(session.settings) as opened:
        after = await opened.change(program_id, lambda found: msgspec.structs.replace(found, enabled=is_on))
        await opened.audit("change", program_id)
    session.output.line(_line(after), _fields(opened.programs, after))


@command("rotate", group=program, examples=("webwx serve program rotate 8hT2kQ9x",))
@_id_argument
async def rotate(session: Session, program_id: str) -> None:
    """Replace the token of a program and print the new one; the old one is refused at once."""
    async with _opened(session.settings) as opened:
        made = await opened.programs.rotate(program_id)
        if made is None:
            raise _unknown(program_id)
        await opened.audit("rotate", program_id)
    _print_token(session, opened.programs, made)


@command("delete", group=program, examples=("webwx serve program delete 8hT2kQ9x",))
@_id_argument
async def delete(session: Session, program_id: str) -> None:
    """Delete a program; a running gateway refuses its token at once, and drops its waiting events."""
    from webwx.gateway.adapters.pushes import RETRY_KIND
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations
    from webwx.gateway.owned_records import OwnedRecords
    from webwx.gateway.queues.retry_times import RetryTimes

    async with _opened(session.settings) as opened:
        if not await opened.programs.delete(program_id):
            raise _unknown(program_id)
        await RetryTimes(RETRY_KIND, OwnedRecords(opened.records, time.time), time.time).forget(program_id)
        await StoredConfirmations(opened.records, time.time).forget(program_id)
        await opened.audit("delete", program_id)
    session.output.result(_("Deleted {program_id}.").format(program_id=program_id), id=program_id, deleted=True)


@command(
    "pending",
    group=program,
    examples=("webwx serve program pending", "webwx serve program pending --all --json"),
)
@click.option("--program", "program_id", metavar="ID", help="Only of one program.", shell_complete=complete_programs)
@click.option("--all", "include_all", is_flag=True, help="List those of the last day that were answered, too.")
async def pending(session: Session, program_id: str | None, include_all: bool) -> None:
    """
    List the sends of programs that wait until you accept them.

    A program with the option confirm=phone or confirm=client asks before each send to a person or chatroom.
    """
    async with _opened(session.settings) as opened:
        found = await find_pending(opened.records, await opened.asking(program_id), include_all=include_all)
    print_pending(session, found)


@command("accept", group=program, examples=("webwx serve program accept 4821",))
@click.option("--program", "program_id", metavar="ID", help="The program.", shell_complete=complete_programs)
@click.argument("code", shell_complete=complete_program_codes)
async def accept(session: Session, program_id: str | None, code: str) -> None:
    """
    Accept a send that waits for you; the gateway makes it within seconds.

    CODE is that of the question on your phone, and of 'webwx serve program pending'.
    """
    await _answer(session, program_id, code, is_yes=True)


@command("refuse", group=program, examples=("webwx serve program refuse 4821",))
@click.option("--program", "program_id", metavar="ID", help="The program.", shell_complete=complete_programs)
@click.argument("code", shell_complete=complete_program_codes)
async def refuse(session: Session, program_id: str | None, code: str) -> None:
    """Refuse a send that waits for you; it is not made."""
    await _answer(session, program_id, code, is_yes=False)


async def _answer(session: Session, program_id: str | None, code: str, *, is_yes: bool) -> None:
    async with _opened(session.settings) as opened:
        later = _("The gateway sends it now, or once it runs again.")
        await answer_pending(
            session, opened.records, await opened.asking(program_id), code, is_yes=is_yes, later=later
        )  # fmt: skip


@command("adapters", group=program, examples=("webwx serve program adapters --json",))
async def adapters(session: Session) -> None:
    """List the protocols that programs may speak; with --json also the configurations of well-known programs."""
    from webwx.gateway.adapters.registry import ADAPTERS, PREFIX

    for name, each in ADAPTERS.items():
        session.output.line(
            f"{name}  {each.title}  {each.summary}",
            {
                "name": name, "title": each.title, "summary": each.summary, "path": f"{PREFIX}{name}",
                "configurations": dict(each.configurations),
            },
        )  # fmt: skip


class _OpenedPrograms(NamedTuple):
    """The stored programs."""

    programs: Programs
    records: RecordStore

    async def get(self, program_id: str) -> StoredProgram:
        """
        Return a program.

        Raises:
            BadInput: There is no program with this id.
        """
        found = await self.programs.get(program_id)
        if found is None:
            raise _unknown(program_id)
        return found

    async def change(self, program_id: str, changed: Callable[[StoredProgram], StoredProgram]) -> StoredProgram:
        """
        Change a program, and return it.

        Raises:
            BadInput: There is no program with this id, or the change is invalid.
        """
        found = await self.programs.change(program_id, changed)
        if found is None:
            raise _unknown(program_id)
        return found

    async def asking(self, program_id: str | None) -> list[AskingProgram]:
        """
        Return the program with an id, or all programs, as those that may ask their owner.

        Raises:
            BadInput: There is no program with this id.
        """
        found = [await self.get(program_id)] if program_id else await self.programs.find()
        return [AskingProgram(each.id, each.name) for each in found]

    async def account_name(self, found: StoredProgram) -> str:
        """Return the name of a program's account; empty if it was removed."""
        from webwx.gateway.accounts.numbers import AccountNumbers

        accounts = await AccountNumbers(self.records, time.time).find()
        return next((each.name for each in accounts if each.number == found.account), "")

    async def audit(self, action: str, program_id: str, detail: str = "") -> None:
        """Append an action to the audit log."""
        await self.records.append_audit(
            "cli", f"program.{action}", target=program_id, detail=detail, time=time.time()
        )  # fmt: skip


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_OpenedPrograms]:
    from webwx.gateway.adapters.programs import Programs

    async with open_records(settings) as records:
        yield _OpenedPrograms(Programs(records, time.time), records)


class _Lists(NamedTuple):
    """New lists of chats; None: the present one stays."""

    see: tuple[str | int, ...] | None
    write: tuple[str | int, ...] | None
    user: int
    """The WeChat user whose people they name; 0 if they name none."""

    def replaced_in(self, permissions: ChatPermissions) -> ChatPermissions:
        """Return permissions with these lists."""
        from webwx.gateway.adapters.permissions import with_lists

        return with_lists(
            permissions, self.user,
            see=permissions.see if self.see is None else self.see,
            write=permissions.write if self.write is None else self.write,
        )  # fmt: skip


async def _lists(session: Session, account: str, see: tuple[str, ...], write: tuple[str, ...]) -> _Lists:
    """
    Return lists of chats as they were given; an option that was not given stands for no change.

    Raises:
        BadInput: No contact, or several, are called so.
    """
    from webwx.gateway.accounts.journal_lookup import user_of
    from webwx.gateway.adapters.permissions import names_people

    seen = await _entries(session, account, see) if see else None
    written = await _entries(session, account, write) if write else None
    user = 0
    if names_people((*(seen or ()), *(written or ()))):
        async with session.reading() as client:
            user = await user_of(client)
    return _Lists(seen, written, user)


async def _entries(session: Session, account: str, chats: Iterable[str]) -> tuple[str | int, ...]:
    """
    Return a list of chats as permissions have it; a name is looked up in the journal of the account.

    Raises:
        BadInput: No contact, or several, are called so.
    """
    from webwx.cli.gateway.chat_entries import chat_entry
    from webwx.gateway.adapters.permissions import EVERY_CHAT

    given = [each for each in chats if each]
    if all(each in {EVERY_CHAT, FILEHELPER} for each in given):
        return tuple(given)
    session.settings = dataclasses.replace(session.settings, account=account)
    async with session.reading() as client:
        return tuple([await chat_entry(client, each) for each in given])


def _changed_options(options: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return options with some changes: `NAME=VALUE`, whose value is JSON or a text, or `NAME` for its default."""
    changed = dict(options)
    for each in changes:
        name, is_set, value = each.partition("=")
        changed.pop(name, None)
        if is_set:
            changed[name] = _value(value)
    return changed


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _unknown(program_id: str) -> BadInput:
    return BadInput(
        _("There is no program {program_id!r}; 'webwx serve program list' lists them.").format(program_id=program_id)
    )


def _line(found: StoredProgram) -> str:
    state = word("enabled" if found.enabled else "disabled")
    account = _("account {account}").format(account=found.account)
    return f"{found.id}  {found.adapter}  {printable(found.name)}  {account}, {state}"


def _fields(programs: Programs, found: StoredProgram) -> dict[str, object]:
    return {
        "id": found.id, "name": found.name, "adapter": found.adapter, "account": found.account,
        "see": found.permissions.see, "write": found.permissions.write, "options": programs.shown_options(found),
        "enabled": found.enabled, "created_at": found.created_at,
    }  # fmt: skip


def _print(session: Session, programs: Programs, found: StoredProgram) -> None:
    options = programs.shown_options(found)
    given = ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in options.items())
    lines = [
        _line(found),
        _("Sees: {chats}").format(chats=_listed(found.permissions.see)),
        _("Writes to: {chats}").format(chats=_listed(found.permissions.write)),
        _("Options: {options}").format(options=given or _("defaults")),
    ]
    session.output.line(lines, _fields(programs, found))


def _listed(chats: Iterable[str | int]) -> str:
    return ", ".join(map(str, chats)) or _("no chat")


def _print_token(session: Session, programs: Programs, made: NewProgram) -> None:
    url = adapter_url(session.settings, made.program.adapter)
    session.output.line([made.token], {"token": made.token, "url": url, **_fields(programs, made.program)})
    session.output.remark(_("It is not shown again. The program connects to {url}.").format(url=url))
