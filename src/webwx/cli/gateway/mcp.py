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
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.gateway.chat_entries import chat_entry
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import _
from webwx.cli.session import Session, command
from webwx.client.client import AsyncClient
from webwx.errors import LoggedOut, NotLoggedIn, TransportError
from webwx.gateway.adapters.agent_configs import PROGRAMS, ServerAddress, StartCommand
from webwx.gateway.adapters.mcp.agent_options import AgentOptions
from webwx.gateway.adapters.permissions import ChatPermissions, has_number, user_of
from webwx.installation import install_command
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.gateway.adapters.mcp.served_account import ClientAccount

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
    "--max-sends",
    type=click.IntRange(min=0),
    metavar="N",
    default=AgentOptions().sends_in_a_day,
    show_default=True,
    help="Maximum number of sends in 24 hours.",
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
    max_sends: int,
    gateway: str | None,
    key_file: Path | None,
) -> None:
    """
    Connect an AI agent to your chats (MCP).

    It is an MCP server over stdin and stdout. The program of the agent starts this command; 'webwx mcp config PROGRAM'
    prints what to write into its configuration. At first the agent sees and writes File Transfer Helper only.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    if find_spec("mcp") is None:
        message = _("'webwx mcp' needs more packages: {command}.")
        raise CommandFailed(message.format(command=install_command("mcp")))
    from webwx.gateway.adapters.mcp.agent import Agent
    from webwx.gateway.adapters.mcp.send_budget import SendBudget
    from webwx.gateway.adapters.mcp.stdio import serve_stdio

    if gateway and may_log_in:
        raise BadInput(_("--allow-login is for a login of this machine; log in at the gateway."))
    options = AgentOptions(manage=manage, login=may_log_in, sends_in_a_day=max_sends)
    with _only_answers_on_stdout() as stdout:
        async with (
            _remote_account(session, gateway, key_file) if gateway else _local_account(session, may_log_in=may_log_in)
        ) as account, session.storage() as storage:  # fmt: skip
            seen = (FILEHELPER, *[await chat_entry(account.client, each) for each in readable])
            written = (FILEHELPER, *[await chat_entry(account.client, each) for each in writable])
            user = await user_of(account.client) if has_number((*seen, *written)) else 0
            permissions = ChatPermissions(see=seen, write=written, user=user)
            records = storage.records()

            async def audit(tool: str, target: str, detail: str) -> None:
                await records.append_audit("mcp", f"mcp.{tool}", target=target, detail=detail, time=time.time())

            budget = SendBudget(records, f"stdio-{account.name}", options, time.time)
            agent = Agent(account, permissions, options, budget, audit, time.time, files=folder)
            await serve_stdio(agent, sys.stdin.buffer, stdout)


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
async def _local_account(session: Session, *, may_log_in: bool) -> AsyncIterator[ClientAccount]:
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
            yield account


@contextlib.asynccontextmanager
async def _remote_account(session: Session, gateway: str, key_file: Path | None) -> AsyncIterator[ClientAccount]:
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
        yield ClientAccount(name or "gateway", client, is_remote=True)


def _key_in(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


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
    chosen = PROGRAMS[program]
    made = chosen.write(ServerAddress(url, "TOKEN") if url else _start_command(session, options))
    if made is None:
        raise CommandFailed(
            _("{title} cannot use an address with a token; leave out --url.").format(title=chosen.title)
        )
    session.output.remark(chosen.place)
    if session.output.as_json:
        session.output.document({"program": program, "place": chosen.place, "configuration": made})
    else:
        session.output.program(made)


def _start_command(session: Session, options: tuple[str, ...]) -> StartCommand:
    """Return how a program starts this command with the present settings, which it would not have otherwise."""
    settings = session.settings
    env = {"WEBWX_HOME": str(settings.home)} if "home" in settings.sources else {}
    stated = {"server": settings.server, "host": settings.host, "account": settings.account}
    args = [
        part for name, value in stated.items() if value and name in settings.sources for part in (f"--{name}", value)
    ]
    program = shutil.which("webwx") or str(Path(sys.executable).with_name("webwx"))
    return StartCommand(program, ["mcp", *args, *options], env)
