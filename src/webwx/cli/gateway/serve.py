"""`webwx serve`: the command that runs the gateway, and the commands that set it up."""

from __future__ import annotations

import asyncio
import errno
import http.client
import os
import ssl
import time
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click
import msgspec
from click.core import ParameterSource

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.gateway.node import (
    NodeOptions,
    accounts_of,
    gateway_of,
    node_options,
    open_node,
    rate_limit_of,
    refuse_node_options,
    until_drained,
)
from webwx.cli.gateway.programs import program
from webwx.cli.gateway.receivers import receiver
from webwx.cli.gateway.stored import open_records
from webwx.cli.gateway.webhooks import webhook
from webwx.cli.help_pages import CliGroup
from webwx.cli.journal.backup import backup
from webwx.cli.language import N_, _, ngettext
from webwx.cli.logs import configure_logging, log_format_option
from webwx.cli.option_values import OptionValues
from webwx.cli.options import FiniteRange, example_text, with_common_options
from webwx.cli.permanent_objects import exempt_from_collections
from webwx.cli.sandbox.control import POLL_INTERVAL, hang_up
from webwx.cli.session import Session, command
from webwx.errors import InvalidSettings
from webwx.installation import install_command
from webwx.storage.atomic_write import write_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine
    from pathlib import Path

    from webwx.cluster.leased import LeasedOwnership
    from webwx.gateway.access.keys import ApiKey, KeyRing
    from webwx.gateway.app import Gateway
    from webwx.gateway.bots.bots import AssignedBot, HostedBots
    from webwx.gateway.config import GatewayConfig, LimitsTable
    from webwx.gateway.running import RunningGateway
    from webwx.gateway.serve import Listener
    from webwx.settings import Settings
    from webwx.storage.tables.records import RecordStore

_OPEN_LINK = N_("Open this link in a browser; it is valid once, for ten minutes: {link}")

_PORT_IN_USE = N_("Port {port} is taken; choose another with --port, or any free one with --port 0.")

_OWN_PORT_IN_USE = N_("Port {port} is taken; choose another in [adapters.{name}] of the configuration, or 0 for any.")

_NOT_RUNNING = N_("No gateway is running on this folder; 'webwx serve' starts one.")

READINESS_PATIENCE = 5.0
"""Maximum seconds for each part of an answer of /readyz."""

_CONFIG_HELP = "Configuration file.  [default: gateway.toml beside the logins]"

_config_option = click.option(
    "--config", "file", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help=_CONFIG_HELP
)

_bot_option = click.option(
    "--bot",
    "targets",
    multiple=True,
    type=click.Path(),
    metavar="FILE[:NAME]",
    help="Run the bots of a Python file on the gateway's accounts; repeatable.",
)


class _ServeGroup(CliGroup):
    """A group that runs the gateway when no subcommand is named."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, invoke_without_command=True, **options)


@command(
    "serve",
    examples=(
        "webwx serve",
        "webwx serve --port 9000 --json",
        "webwx serve --bot bot.py",
        "webwx serve key create --name grafana --scopes send:filehelper",
        "webwx serve pair",
    ),
    cls=_ServeGroup,
    endless=True,
)
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 0: any free port.  [default: 8791]")
@click.option("--listen", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--behind-proxy", metavar="ADDRESS", help="Address of a reverse proxy that ends TLS; its headers are trusted."
)
@_config_option
@_bot_option
@node_options
@log_format_option
def serve(
    session: Session,
    port: int | None,
    listen: str | None,
    behind_proxy: str | None,
    file: str | None,
    targets: tuple[str, ...],
    **node: Any,
) -> Coroutine[Any, Any, None]:
    """
    Serve all accounts of this machine to other programs, over HTTP.

    Programs call the API at /api/v1 with a key from 'webwx serve key create'. Open the printed link in a browser to log
    accounts in. Only this machine can connect, unless TLS or a proxy is set up. SIGHUP rereads the limits.

    With --storage postgresql://…, any number of processes on several machines serve the accounts of one database: each
    runs its share of them, and forwards the requests for the others. --capacity, --address, --lease and --heartbeat are
    for such a database only.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
            raise BadInput(
                _(
                    "Options between 'serve' and '{invoked_subcommand}' have no effect; write them after "
                    "'{invoked_subcommand}'; see 'webwx serve {invoked_subcommand} --help'."
                ).format(invoked_subcommand=context.invoked_subcommand)
            )
        return _nothing()
    require_extra()
    if not session.settings.storage:
        refuse_node_options(context)
    path = _config_path(session.settings, file)
    bots = load_bots(session, _read_config(path), path, targets)
    values = context.ensure_object(OptionValues)
    configure_logging(is_debugging=False, is_verbose=values.verbose, log_format=values.log_format)

    def read() -> GatewayConfig:
        return _with_options(_read_config(path), port, listen, behind_proxy)

    return _run(session, read, bots, NodeOptions(**node))


async def _nothing() -> None:
    """Do nothing: a subcommand does the work."""


async def _run(
    session: Session, read: Callable[[], GatewayConfig], assigned: list[AssignedBot], options: NodeOptions
) -> None:
    from webwx.cluster.reachable import until_reachable
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.running import claim
    from webwx.gateway.serve import on_hangup
    from webwx.gateway.serve import serve as serve_gateway
    from webwx.representations.route import API
    from webwx.representations.sends import NOTIFY

    settings = session.settings
    config = read()
    listener = open_listener(config)
    browser_url = config.browser_url(listener.url)
    async with AsyncExitStack() as opened:
        opened.callback(listener.socket.close)
        own: dict[str, Listener] = {}
        for name in config.adapters:
            own[name] = _open_own_listener(config, name)
            opened.callback(own[name].socket.close)
        addresses = {name: each.url for name, each in own.items()}
        opened.enter_context(claim(settings.home, listener.url, browser_url, addresses))
        bots = HostedBots(assigned)
        gateway, ownership = await opened.enter_async_context(
            _open_gateway(session, config, options, listener.url, bots, lambda: gateway.config.limits)
        )
        code = await until_reachable(gateway.sessions.create_code)

        def reread() -> None:
            try:
                gateway.config = msgspec.structs.replace(gateway.config, limits=read().limits)
            except InvalidSettings as error:
                session.output.report(_("{error} The limits stay as they were.").format(error=error))
            else:
                session.output.report(_("The limits are reread; changes of the other tables need a restart."))

        def announce() -> None:
            console = f"{browser_url}/#code={code}"
            place = (
                _("The gateway runs at {url}, for this machine only.")
                if config.is_local
                else _("The gateway runs at {url}.")
            )
            session.output.result(
                [
                    place.format(url=listener.url),
                    *(_("The adapter {name} is also at {url}.").format(name=name, url=url)
                      for name, url in addresses.items()),
                    _(_OPEN_LINK).format(link=console),
                    "",
                    _("For programs:"),
                    "",
                    "  KEY=$(webwx serve key create --name my-script --scopes send,read)",
                    f'  curl -H "Authorization: Bearer $KEY" -d "hello" {listener.url}{API}{NOTIFY.path}',
                    "",
                    _("Ctrl-C ends it."),
                ],
                url=listener.url, console=console, adapters=addresses,
            )  # fmt: skip
            exempt_from_collections()

        on_hangup(reread)
        serving = serve_gateway(gateway, listener, announce, own)
        await (serving if ownership is None else until_drained(serving, ownership))


@asynccontextmanager
async def _open_gateway(
    session: Session, config: GatewayConfig, options: NodeOptions, url: str, bots: HostedBots,
    limits: Callable[[], LimitsTable],
) -> AsyncIterator[tuple[Gateway, LeasedOwnership | None]]:  # fmt: skip
    """Open the gateway of this machine's accounts, or of a database that several machines share."""
    settings = session.settings
    if settings.storage:
        opening = open_node(
            settings, settings.storage, options, address=options.address_of(url), bots=bots, limits=limits,
            on_open=lambda account, bots: None,  # noqa: ARG005
        )  # fmt: skip
        async with opening as node:
            yield gateway_of(node, settings, config, bots=bots, answers_clients=True), node.ownership
        return
    from webwx.gateway.app import Gateway
    from webwx.gateway.ownership.sole import LocalGateway

    async with session.storage() as storage:
        records = storage.records()
        port = LocalGateway(
            lambda on_state: accounts_of(settings, storage, on_state), settings.home, records, bots=bots,
            limits=limits, rate_limit=rate_limit_of(settings),
        )  # fmt: skip
        yield Gateway(config, records, port, settings.home / "gateway-files", bots=bots), None


def require_extra() -> None:
    """
    Check that the extra is installed.

    Raises:
        CommandFailed: The extra is not installed.
    """
    try:
        import litestar  # noqa: F401 - only whether it is there
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError:
        message = _("The gateway needs more packages: {command}.")
        raise CommandFailed(message.format(command=install_command("gateway"))) from None


def load_bots(session: Session, config: GatewayConfig, path: Path, targets: tuple[str, ...]) -> list[AssignedBot]:
    """
    Load the bots of the configuration and of the command line; the programs are run as modules.

    Raises:
        BadInput: A file does not exist, or creates no bot.
        CommandFailed: A file raises an exception.
        InvalidSettings: A bot cannot run in the gateway.
    """
    if not targets and not config.bots:
        return []
    from webwx.cli.bots.run import as_environment, find_bots, split_target
    from webwx.gateway.bots.bots import AssignedBot, check_bots

    os.environ.update(as_environment(click.get_current_context().ensure_object(OptionValues)))
    settings = session.settings  # invalid settings are reported before a user's program runs
    assigned = [AssignedBot(bot) for bot in find_bots(session, [split_target(target) for target in targets])]
    for table in config.bots:
        file = path.parent / table.file
        target = split_target(f"{file}:{table.name}" if table.name else str(file))
        assigned += [AssignedBot(bot, table.accounts) for bot in find_bots(session, [target])]
    check_bots(assigned, host=settings.host, server=settings.server)
    return assigned


def _config_path(settings: Settings, file: str | None) -> Path:
    from pathlib import Path

    from webwx.gateway.config import FILE_NAME

    return Path(file) if file else settings.home / FILE_NAME


def read_config(session: Session, file: str | None) -> tuple[Path, GatewayConfig]:
    """
    Return the path of the configuration file, and the configuration.

    Args:
        session: The run of the command.
        file: The path that the user has given; None: the file in the folder of the logins.

    Raises:
        InvalidSettings: The file cannot be read, or has a setting that is unknown or invalid.
    """
    path = _config_path(session.settings, file)
    return path, _read_config(path)


def _read_config(path: Path) -> GatewayConfig:
    from webwx.gateway.config import read_gateway_config

    return read_gateway_config(path)


def _with_options(
    config: GatewayConfig, port: int | None, address: str | None, behind_proxy: str | None
) -> GatewayConfig:
    """Return the configuration; the options of the command take precedence over the file."""
    given = {"port": port, "host": address, "behind_proxy": behind_proxy}
    changed = {name: value for name, value in given.items() if value is not None}
    listen = msgspec.convert(msgspec.structs.asdict(config.listen) | changed, type(config.listen))
    return msgspec.structs.replace(config, listen=listen)


def open_listener(config: GatewayConfig) -> Listener:
    """
    Open the port.

    Raises:
        CommandFailed: The port is not available.
        InvalidSettings: The address needs TLS or a proxy.
    """
    from webwx.gateway.serve import listen

    try:
        return listen(config)
    except OSError as error:
        table = config.listen
        raise _cannot_listen(error, table.host, _(_PORT_IN_USE).format(port=table.port)) from None


def _open_own_listener(config: GatewayConfig, name: str) -> Listener:
    """
    Open the port of an adapter.

    Raises:
        CommandFailed: The port is not available.
    """
    from webwx.gateway.serve import listen_on

    table = config.adapters[name]
    try:
        return listen_on(config, table.host, table.port)
    except OSError as error:
        raise _cannot_listen(error, table.host, _(_OWN_PORT_IN_USE).format(port=table.port, name=name)) from None


def _cannot_listen(error: OSError, host: str, port_in_use: str) -> CommandFailed:
    if error.errno == errno.EADDRINUSE:
        return CommandFailed(port_in_use)
    return CommandFailed(_("Cannot listen on {host}: {reason}.").format(host=host, reason=_reason_of(error)))


def _reason_of(error: OSError) -> str:
    """Return why an address is not available, without the address, which Python appends."""
    return (error.strerror or str(error)).partition(" (while attempting")[0]


serve_group = cast("click.Group", serve)  # `command` returns an object of the class that it gets

# -- before it runs ----------------------------------------------------------------------------------------------------


@command("init", group=serve_group, examples=("webwx serve init",))
@click.option("--config", "file", type=click.Path(dir_okay=False), metavar="FILE", help=_CONFIG_HELP)
async def init(session: Session, file: str | None) -> None:
    """
    Write a configuration file with all settings and their defaults.

    An existing file is not changed.
    """
    from webwx.gateway.config import EXAMPLE

    path = _config_path(session.settings, file)
    if path.exists():
        raise BadInput(_("{path} exists already; it was not changed.").format(path=path))
    write_private(path, EXAMPLE.encode())
    session.output.result(_("Wrote {path}.").format(path=path), path=str(path))


@command("check", group=serve_group, examples=("webwx serve check", "webwx serve check --bot bot.py"))
@_config_option
@_bot_option
async def check(session: Session, file: str | None, targets: tuple[str, ...]) -> None:
    """
    Check the configuration, the certificate, the fallback, the database and the bots.

    Nothing is started, but the programs of the bots are loaded, which runs them as modules.
    """
    require_extra()
    from webwx.gateway.adapters.registry import ADAPTERS
    from webwx.gateway.receivers.fallback import channels_of
    from webwx.gateway.running import find_running
    from webwx.gateway.serve import check_certificate

    settings = session.settings
    path = _config_path(settings, file)
    config = _read_config(path)
    config.check(ADAPTERS)
    check_certificate(config)
    channels_of(config.fallback)
    bots = [assigned.bot.name for assigned in load_bots(session, config, path, targets)]
    async with open_records(settings) as records:
        keys = len(await records.find("key"))
    running = find_running(settings.home)
    listens = (
        ngettext(
            "Listens on {host}, port {port} with TLS; {keys} key",
            "Listens on {host}, port {port} with TLS; {keys} keys",
            keys,
        )
        if config.has_tls
        else ngettext("Listens on {host}, port {port}; {keys} key", "Listens on {host}, port {port}; {keys} keys", keys)
    )
    session.output.result(
        [
            _("Configuration: {path}").format(path=path if path.exists() else _("defaults")),
            listens.format(host=config.listen.host, port=config.listen.port, keys=keys),
            *(_("The adapter {name} also listens on {host}, port {port}").format(
                name=name, host=table.host, port=table.port
            ) for name, table in config.adapters.items()),
            *([_("Bots: {names}").format(names=', '.join(bots))] if bots else []),
            _("Running at {url} (pid {pid})").format(url=running.url, pid=running.pid) if running else _("Not running"),
        ],
        config=str(path), listen=config.listen.host, port=config.listen.port, tls=config.has_tls, keys=keys, bots=bots,
        adapters=config.adapters, running=None if running is None else running.url,
    )  # fmt: skip


@command("pair", group=serve_group, examples=("webwx serve pair",))
async def pair(session: Session) -> None:
    """
    Print a new link for a browser.

    The link is valid once, for ten minutes; the browser stays logged in for twelve hours.
    """
    from webwx.gateway.access.sessions import ConsoleSessions
    from webwx.gateway.running import find_running

    running = find_running(session.settings.home)
    if running is None:
        raise CommandFailed(_(_NOT_RUNNING))
    async with open_records(session.settings) as records:
        code = await ConsoleSessions(records, time.time).create_code()
    link = f"{running.browser_url}/#code={code}"
    session.output.result(
        _(_OPEN_LINK).format(link=link),
        console=link,
        url=running.url,
    )


@command("wait", group=serve_group, examples=("webwx serve wait", "webwx serve wait --require online --timeout 10"))
@click.option(
    "--require",
    "required",
    multiple=True,
    type=click.Choice(["online", "bots"]),
    help="Wait also until every account is online, and there is one, or until every bot runs; repeatable.",
)
@click.option(
    "--timeout", "seconds", type=FiniteRange(min=0), metavar="SECONDS", default=60.0, show_default=True,
    help="Fail if it is not ready after SECONDS.",
)  # fmt: skip
async def wait(session: Session, required: tuple[str, ...], seconds: float) -> None:
    """
    Wait until the gateway of this folder is ready.

    For scripts that start a gateway in the background. Asks /readyz of the gateway. Exits with 1 if it is not ready in
    time.
    """
    reason = _("It does not answer.")
    try:
        async with asyncio.timeout(seconds):
            while True:
                running, reason = await _check_readiness(session.settings.home, required)
                if running is not None:
                    break
                await asyncio.sleep(POLL_INTERVAL)
    except TimeoutError:
        message = _("The gateway is not ready after {seconds:g} s: {reason}")
        raise CommandFailed(message.format(seconds=seconds, reason=reason)) from None
    session.output.result(_("The gateway at {url} is ready.").format(url=running.url), url=running.url)


async def _check_readiness(home: Path, required: tuple[str, ...]) -> tuple[RunningGateway | None, str]:
    """Return the gateway of a folder if it is ready; otherwise the reason why it is not."""
    from webwx.gateway.running import find_running

    running = find_running(home)
    if running is None:
        return None, _(_NOT_RUNNING)
    try:
        for query in [f"?require={each}" for each in required] or [""]:
            status, text = await _ask_whether_ready(running.url, query)
            if status != HTTPStatus.OK:
                return None, text
    except (OSError, http.client.HTTPException):  # it has just ended, or is too busy
        return None, _("It does not answer.")
    return running, ""


async def _ask_whether_ready(url: str, query: str) -> tuple[int, str]:
    """Return status and text of /readyz of a gateway on this machine, whose certificate is for its public name."""
    origin = urlsplit(url)
    connection = (
        http.client.HTTPSConnection(
            origin.netloc,
            timeout=READINESS_PATIENCE,
            context=ssl._create_unverified_context(),  # noqa: S323 - no key is sent
        )
        if origin.scheme == "https"
        else http.client.HTTPConnection(origin.netloc, timeout=READINESS_PATIENCE)
    )

    def ask() -> tuple[int, str]:
        connection.request("GET", f"/readyz{query}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    try:
        return await asyncio.to_thread(ask)
    finally:
        hang_up(connection)


# -- keys --------------------------------------------------------------------------------------------------------------


@with_common_options
@click.group(
    "key",
    cls=CliGroup,
    epilog=example_text(
        "webwx serve key create --name grafana --scopes send:filehelper",
        "webwx serve key list",
        "webwx serve key delete 8hT2kQ9x",
    ),
)
def key() -> None:
    """
    Create, list, rotate and delete the keys of programs.

    These commands work with and without a running gateway.
    """


@command(
    "create",
    group=key,
    examples=(
        "webwx serve key create --name my-script --scopes send,read",
        "webwx serve key create --name backup --scopes send:filehelper --days 365 --json",
    ),
)
@click.option("--name", required=True, help="Name of the program that uses the key.")
@click.option(
    "--scopes",
    required=True,
    metavar="LIST",
    help="What the key allows, separated by commas: read, read:media, send, send:filehelper, manage, login, events, "
    "bots, webhooks, receivers, adapters, admin.",
)
@click.option("--accounts", metavar="LIST", help="Numbers of accounts, separated by commas.  [default: all]")
@click.option("--days", type=FiniteRange(0, min_open=True), help="Days until the key expires.  [default: never]")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="Network that may use the key; repeatable.")
async def create(
    session: Session, name: str, scopes: str, accounts: str | None, days: float | None, networks: tuple[str, ...]
) -> None:
    """
    Create a key and print it.

    The key is shown only once; the gateway stores only its hash.
    """
    try:
        numbers = None if accounts is None else tuple(int(each) for each in accounts.split(","))
    except ValueError:
        raise BadInput(_("--accounts takes numbers, such as '1,2'; 'webwx serve' lists them.")) from None
    async with _key_ring(session) as (ring, records):
        await _check_accounts(records, numbers)
        made = await ring.create(
            name, {scope.strip() for scope in scopes.split(",") if scope.strip()}, accounts=numbers,
            expires_at=None if days is None else time.time() + days * 86_400, networks=networks,
        )  # fmt: skip
        await records.append_audit(
            "cli", "key.create", target=made.key.id, detail=" ".join(made.key.scopes), time=time.time()
        )
    session.output.result(
        [made.text], key=made.text, id=made.key.id, name=name, scopes=made.key.scopes, accounts=numbers
    )
    session.output.remark(_("It is not shown again."))


async def _check_accounts(records: RecordStore, numbers: Collection[int] | None) -> None:
    """Refuse accounts that the gateway does not know."""
    from webwx.gateway.accounts.numbers import AccountNumbers

    known = {each.number for each in await AccountNumbers(records, time.time).find()} if numbers else ()
    for number in numbers or ():
        if number not in known:
            message = _("The gateway has no account {number}; 'webwx serve' lists the accounts and their numbers.")
            raise BadInput(message.format(number=number))


@command("list", group=key, examples=("webwx serve key list --json",))
async def list_keys(session: Session) -> None:
    """List the keys, without their secrets."""
    async with _key_ring(session) as (ring, _store):
        keys = await ring.find()
    for each in keys:
        session.output.line(_key_line(each), _without_digests(each))
    if not keys:
        session.output.remark(_("There is no key; 'webwx serve key create' makes one."))


@command("delete", group=key, examples=("webwx serve key delete 8hT2kQ9x",))
@click.argument("key_id", metavar="ID")
async def delete(session: Session, key_id: str) -> None:
    """Delete a key; a running gateway refuses it within a second."""
    async with _key_ring(session) as (ring, records):
        if not await ring.delete(key_id):
            raise BadInput(_("There is no key {key_id!r}; 'webwx serve key list' lists them.").format(key_id=key_id))
        await records.append_audit("cli", "key.delete", target=key_id, time=time.time())
    session.output.result(_("Deleted {key_id}.").format(key_id=key_id), id=key_id, deleted=True)


@command("rotate", group=key, examples=("webwx serve key rotate 8hT2kQ9x --hours 24",))
@click.option(
    "--hours",
    type=FiniteRange(0),
    default=24.0,
    show_default=True,
    help="Hours for which the old key stays valid.",
)
@click.argument("key_id", metavar="ID")
async def rotate(session: Session, key_id: str, hours: float) -> None:
    """Replace a key's secret and print the new key."""
    async with _key_ring(session) as (ring, records):
        made = await ring.rotate(key_id, overlap=hours * 3600)
        if made is None:
            raise BadInput(_("There is no key {key_id!r}; 'webwx serve key list' lists them.").format(key_id=key_id))
        await records.append_audit("cli", "key.rotate", target=key_id, time=time.time())
    session.output.result([made.text], key=made.text, id=key_id)


serve_group.add_command(key)
serve_group.add_command(program)
serve_group.add_command(receiver)
serve_group.add_command(webhook)
serve_group.add_command(backup)


@asynccontextmanager
async def _key_ring(session: Session) -> AsyncIterator[tuple[KeyRing, RecordStore]]:
    from webwx.gateway.access.keys import KeyRing

    async with open_records(session.settings) as records:
        yield KeyRing(records, time.time), records


def _key_line(each: ApiKey) -> str:
    accounts = (
        _("all accounts")
        if each.accounts is None
        else _("accounts {names}").format(names=", ".join(map(str, each.accounts)))
    )
    return f"{each.id}  {each.name}  {' '.join(each.scopes)}  {accounts}"


def _without_digests(each: ApiKey) -> dict[str, object]:
    fields = msgspec.structs.asdict(each)
    return {name: value for name, value in fields.items() if name not in {"digest", "earlier_digest"}}
