"""`webwx mcp`: an account for an AI agent, over stdin and stdout."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import click
import msgspec

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.gateway.chat_entries import chat_entry
from webwx.cli.gateway.pending_sends import (
    answer_pending,
    asking_agents,
    complete_agent_codes,
    find_pending,
    print_pending,
)
from webwx.cli.gateway.stored import open_records
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _, ngettext
from webwx.cli.session import Session, command
from webwx.client.client import AsyncClient
from webwx.errors import LoggedOut, NotLoggedIn, TransportError
from webwx.gateway.adapters.agent_configs import PROGRAMS, ServerAddress, StartCommand
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.mcp.command_agents import CommandAgent, agent_of_gateway, agent_of_login, store_agent
from webwx.gateway.adapters.mcp.command_lists import CommandLists, forget_lists
from webwx.installation import install_command
from webwx.settings import SECRET_FILES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent
    from webwx.gateway.adapters.mcp.served_account import ClientAccount
    from webwx.settings import Settings
    from webwx.storage.tables.records import RecordStore

KEY_VARIABLE = "WEBWX_GATEWAY_KEY"
"""Variable with the key of the gateway."""

_SEND_PATIENCE = 20.0
"""Seconds that a send waits for the account's rate limit; a program waits for its tool no longer than a minute."""


class _McpGroup(CliGroup):
    """A group that runs the server when no subcommand is named."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, invoke_without_command=True, **options)


@command(
    "mcp",
    examples=(
        "webwx mcp config claude-desktop",
        "webwx mcp",
        "webwx mcp --allow-read 阿华 --allow-send 阿华",
        "webwx mcp --gateway http://127.0.0.1:8791 --key-file key.txt",
    ),
    cls=_McpGroup,
    endless=True,
)
@click.option(
    "--allow-read",
    "readable",
    multiple=True,
    metavar="CHAT",
    help="A chat that the agent may read too: a name, a number, or '*' for all; repeatable.",
)
@click.option(
    "--allow-send",
    "writable",
    multiple=True,
    metavar="CHAT",
    help="A chat to which the agent may send too; repeatable.",
)
@click.option(
    "--manage", is_flag=True, help="Allow the agent to mark chats as read, and to recall what you wrote on the phone."
)
@click.option(
    "--allow-login",
    "may_log_in",
    is_flag=True,
    help="Allow the agent to show you the QR code of a new login, when the login has ended.",
)
@click.option(
    "--files",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder whose files the agent may send.",
)
@click.option(
    "--confirm",
    type=click.Choice(["off", "phone", "client"]),
    default=AgentOptions().confirm,
    show_default=True,
    help="Ask you before each send to a person or chatroom: on your phone, or in the program of the agent.",
)
@click.option(
    "--max-sends",
    type=click.IntRange(min=0),
    metavar="N",
    default=AgentOptions().sends_in_a_day,
    show_default=True,
    help="Maximum number of sends in 24 hours; --max-burst limits those in ten minutes.",
)
@click.option(
    "--max-burst",
    type=click.IntRange(min=0),
    metavar="N",
    default=AgentOptions().sends_in_ten_minutes,
    show_default=True,
    help="Maximum number of sends in ten minutes.",
)
@click.option("--gateway", metavar="URL", help="Use an account of this gateway instead of a login of this machine.")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with a key of the gateway.  [env: {KEY_VARIABLE}, the key itself]",
)
async def mcp(
    session: Session,
    readable: tuple[str, ...],
    writable: tuple[str, ...],
    manage: bool,
    may_log_in: bool,
    folder: Path | None,
    confirm: Literal["off", "phone", "client"],
    max_sends: int,
    max_burst: int,
    gateway: str | None,
    key_file: Path | None,
) -> None:
    """
    Connect an AI agent to your chats (MCP).

    It is an MCP server over stdin and stdout. The program of the agent starts this command; 'webwx mcp config PROGRAM'
    prints what to write into its configuration. At first the agent sees and writes File Transfer Helper only.

    The chats of '--allow-read' and '--allow-send' belong to the WeChat user who is logged in when they are used first.

    With '--confirm phone', webwx writes to your File Transfer Helper who is to get what; 'y CODE' there sends it.
    'webwx mcp pending' lists what waits.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    if find_spec("mcp") is None:
        message = _("'webwx mcp' needs more packages: {command}.")
        raise CommandFailed(message.format(command=install_command("mcp")))
    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.client_questions import state_key
    from webwx.gateway.adapters.mcp.send_budget import SendBudget
    from webwx.gateway.adapters.mcp.stdio import serve_stdio

    if gateway and may_log_in:
        raise BadInput(_("--allow-login is for a login of this machine; log in at the gateway."))
    options = AgentOptions(
        manage=manage, login=may_log_in, confirm=confirm, sends_in_a_day=max_sends, sends_in_ten_minutes=max_burst
    )  # fmt: skip
    with _only_answers_on_stdout() as stdout:
        async with (
            _remote_account(session, gateway, key_file) if gateway else _local_account(session, may_log_in=may_log_in)
        ) as served, session.storage() as storage:  # fmt: skip
            account = served.account
            records = storage.records()
            lists = CommandLists(records, account.client, served.agent, readable, writable, time.time)
            permissions = await lists.read(chat_entry)
            if await lists.is_of_another_user(permissions):
                session.output.remark(_(
                    "The chats of --allow-read and --allow-send are those of another WeChat user, so the agent reaches "
                    "File Transfer Helper only. 'webwx mcp rebind' gives them to the present user."
                ))  # fmt: skip

            async def audit(tool: str, target: str, detail: str) -> None:
                await records.append_audit("mcp", f"mcp.{tool}", target=target, detail=detail, time=time.time())

            budget = SendBudget(records, f"stdio-{account.name}", options, time.time)
            async with _consent(served, records, options) as consent:
                agent = Agent(
                    account, permissions, options, budget, audit, time.time, consent=consent, bind=lists.bind,
                    files=folder,
                )  # fmt: skip
                seal = await state_key(records, time.time()) if confirm == "client" else None
                await serve_stdio(agent, sys.stdin.buffer, stdout, state_seal=seal)


class _ServedAgent(NamedTuple):
    """The account of the agent, and the agent as its questions to the owner name it."""

    account: ClientAccount
    agent: CommandAgent


@contextlib.asynccontextmanager
async def _consent(
    served: _ServedAgent, records: RecordStore, options: AgentOptions
) -> AsyncIterator[OwnerConsent | None]:  # fmt: skip
    """Return what asks the owner about sends; None if they need no consent."""
    from webwx.gateway.adapters.mcp.command_consent import command_confirmations
    from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent

    if options.confirm == "off":
        yield None
        return
    await store_agent(records, served.agent, time=time.time())
    program, is_on_phone = served.agent.program(options), options.confirm == "phone"
    async with command_confirmations(
        records, served.account, program, time.time, is_on_phone=is_on_phone
    ) as confirmations:
        yield OwnerConsent(confirmations, program, is_at_client=not is_on_phone)


@contextlib.contextmanager
def _only_answers_on_stdout() -> Any:
    """Return a stream to stdout, and let everything else that is written there go to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    stream: BinaryIO = os.fdopen(private, "wb")
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):
            stream.flush()
        os.dup2(private, 1)


@contextlib.asynccontextmanager
async def _local_account(session: Session, *, may_log_in: bool) -> AsyncIterator[_ServedAgent]:
    from webwx.gateway.adapters.mcp.served_account import ClientAccount

    limit = session.settings.limits
    if limit.patience is None:
        limit = msgspec.structs.replace(limit, patience=_SEND_PATIENCE)
        session.settings = dataclasses.replace(session.settings, limits=limit)
    await session.choose_account()
    async with session.client() as client:
        try:
            await client.resume()
        except NotLoggedIn:
            if not may_log_in:
                raise
        account = ClientAccount(session.settings.account, client)
        async with account.synced():
            login = session.settings.login_name
            yield _ServedAgent(account, agent_of_login(login.account, login.place))


@contextlib.asynccontextmanager
async def _remote_account(session: Session, gateway: str, key_file: Path | None) -> AsyncIterator[_ServedAgent]:
    from webwx.gateway.adapters.mcp.served_account import ClientAccount

    key = _key_in(key_file) if key_file else os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise BadInput(
            _("--gateway needs a key: pass --key-file FILE, or set {variable}.").format(variable=KEY_VARIABLE)
        )
    name = session.settings.account if "account" in session.settings.sources else None
    async with AsyncClient(gateway=gateway, key=key, account=name) as client:
        # Tools report a login that has ended and a gateway that is away; a wrong key ends the command.
        with contextlib.suppress(TransportError, NotLoggedIn, LoggedOut):
            await client.resume()
        account = ClientAccount(name or "gateway", client, is_remote=True)
        yield _ServedAgent(account, agent_of_gateway(name or "", gateway, key))


def _key_in(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


@command(
    "pending",
    group=mcp,  # type: ignore[arg-type]
    examples=("webwx mcp pending", "webwx mcp pending --all --json"),
)
@click.option("--all", "include_all", is_flag=True, help="List those of the last day that were answered, too.")
async def pending(session: Session, include_all: bool) -> None:
    """
    List the sends of 'webwx mcp' on this machine that wait until you accept them.

    With --confirm it asks before each send to a person or chatroom. 'webwx serve program pending' lists those of the
    programs of a gateway.
    """
    async with open_records(session.settings) as records:
        found = await find_pending(records, await asking_agents(records), include_all=include_all)
    print_pending(session, found)


@command("accept", group=mcp, examples=("webwx mcp accept 482193",))  # type: ignore[arg-type]
@click.argument("code", shell_complete=complete_agent_codes)
async def accept(session: Session, code: str) -> None:
    """
    Accept a send that waits for you; 'webwx mcp' makes it within seconds.

    CODE is that of the question on your phone, and of 'webwx mcp pending'.
    """
    await _answer(session, code, is_yes=True)


@command("refuse", group=mcp, examples=("webwx mcp refuse 482193",))  # type: ignore[arg-type]
@click.argument("code", shell_complete=complete_agent_codes)
async def refuse(session: Session, code: str) -> None:
    """Refuse a send that waits for you; it is not made."""
    await _answer(session, code, is_yes=False)


async def _answer(session: Session, code: str, *, is_yes: bool) -> None:
    async with open_records(session.settings) as records:
        later = _("The agent's 'webwx mcp' sends it now, or once it runs again.")
        await answer_pending(session, records, await asking_agents(records), code, is_yes=is_yes, later=later)


@command("rebind", group=mcp, examples=("webwx mcp rebind",))  # type: ignore[arg-type]
async def rebind(session: Session) -> None:
    """
    Assign the chats of '--allow-read' and '--allow-send' to another WeChat user.

    They belong to the user who was logged in when 'webwx mcp' started with them first, and a name is the person who had
    it then. After this command the next start of 'webwx mcp' looks names up again, for the user who is logged in then.
    """
    async with open_records(session.settings) as records:
        count = await forget_lists(records)
    session.output.remark(ngettext(
        "{count} pair of lists is read again at the next start of 'webwx mcp'.",
        "{count} pairs of lists are read again at the next start of 'webwx mcp'.", count,
    ).format(count=count))  # fmt: skip


@command(
    "config",
    group=mcp,  # type: ignore[arg-type]
    examples=(
        "webwx mcp config claude-desktop",
        "webwx mcp config vscode -- --allow-read 阿华",
        "webwx mcp config cursor --url https://wx.example.org/mcp",
    ),
)
@click.argument("program", type=click.Choice([*PROGRAMS]))
@click.argument("options", nargs=-1, metavar="[-- OPTIONS]")
@click.option(
    "--url", metavar="URL", help="Address of MCP at a gateway; default: the program starts 'webwx mcp' itself."
)
async def config(session: Session, program: str, options: tuple[str, ...], url: str | None) -> None:
    """
    Print the configuration with which PROGRAM uses this server.

    OPTIONS are those of 'webwx mcp', such as '--allow-read Boss'. With --url, replace TOKEN in what is printed.
    """
    if url and options:
        raise BadInput(_("With --url the options are those of the program at the gateway; leave out {options}.").format(
            options=" ".join(options)
        ))  # fmt: skip
    given = _checked(options)
    chosen = PROGRAMS[program]
    made = chosen.write(ServerAddress(url, "TOKEN") if url else _start_command(session, options))
    if made is None:
        raise CommandFailed(
            _("{title} cannot use an address with a token; leave out --url.").format(title=chosen.title)
        )
    session.output.remark(chosen.place)
    for variable in [] if url else _left_out(given):
        session.output.remark(
            _("{variable} is secret and not part of it: set it for the program, or use {other}.").format(
                variable=variable, other="--key-file" if variable == KEY_VARIABLE else f"{variable}_FILE"
            )
        )
    if session.output.as_json:
        session.output.document({"program": program, "place": chosen.place, "configuration": made})
    else:
        session.output.program(made)


def _start_command(session: Session, options: tuple[str, ...]) -> StartCommand:
    """Return how a program starts this command with the present settings, which it would not have otherwise."""
    settings = session.settings
    env = {"WEBWX_HOME": str(settings.home.absolute())} if "home" in settings.sources else {}
    env |= {name: str(Path(os.environ[name]).absolute()) for name in _PATHS if os.environ.get(name)}
    env |= {name: os.environ[name] for name in _NOT_SECRET if os.environ.get(name)}
    stated = {"server": settings.server, "host": settings.host, "account": settings.account}
    args = [
        part for name, value in stated.items() if value and name in settings.sources for part in (f"--{name}", value)
    ]
    typed = {name: value for name, value in _typed(settings).items() if settings.sources.get(name) == "option"}
    args += [part for name, value in typed.items() if value for part in (f"--{name}", value)]
    program = shutil.which("webwx") or str(Path(sys.executable).with_name("webwx"))
    return StartCommand(program, ["mcp", *args, *_with_whole_paths(options)], env)


_PATHS = ("WEBWX_CONFIG", *SECRET_FILES)
"""Variables that name a file."""

_NOT_SECRET = ("WEBWX_PASSPHRASE_FROM", "WEBWX_RATE_LIMIT", "WEBWX_KEEP", "WEBWX_RETENTION_DAYS")
"""Variables of other settings that a configuration may show."""

_SECRET = ("WEBWX_PASSPHRASE", "WEBWX_STORAGE", "WEBWX_PROXY")
"""Variables that may hold a password."""

_PATH_OPTIONS = ("--files", "--key-file")
"""Options of `webwx mcp` that name a file or a folder."""


def _typed(settings: Settings) -> dict[str, str | None]:
    return {"storage": settings.storage, "proxy": settings.proxy}


def _checked(options: tuple[str, ...]) -> dict[str, Any]:
    """
    Return the values of options of `webwx mcp`, before a program fails because of them.

    Raises:
        UsageError: There is no such option, or its value is invalid.
    """
    return mcp.make_context("webwx mcp", list(options)).params


def _left_out(given: dict[str, Any]) -> list[str]:
    """Return the variables that the program needs too, and that a configuration must not show."""
    needs_key = given["gateway"] and not given["key_file"]
    return [*([KEY_VARIABLE] if needs_key else []), *(name for name in _SECRET if os.environ.get(name))]


def _with_whole_paths(options: tuple[str, ...]) -> list[str]:
    """Return options whose paths are right in every folder in which a program may start."""
    whole = list(options)
    for place, each in enumerate(options):
        name, is_joined, value = each.partition("=")
        if name in _PATH_OPTIONS and is_joined:
            whole[place] = f"{name}={Path(value).absolute()}"
        elif name in _PATH_OPTIONS and place + 1 < len(options):
            whole[place + 1] = str(Path(options[place + 1]).absolute())
    return whole
