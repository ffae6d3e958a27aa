"""
`webwx run`: run the bots of a Python file with a clean shutdown.

A file is loaded as a module and its bots are found rather than started, so the same file also runs with `python FILE`.
The common options reach the bots through the environment, from which a bot reads the settings that its program does not
pass.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webwx.bot.bot import Bot, check, loading, start
from webwx.bot.failures import describe, load_report, right_name
from webwx.cli.bots.metrics import parse_address, serving
from webwx.cli.bots.programs import run_file
from webwx.cli.bots.reload import supervise
from webwx.cli.bots.unit import write_unit
from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _, ngettext
from webwx.cli.logs import configure_logging, log_format_option
from webwx.cli.option_values import OptionValues
from webwx.cli.permanent_objects import exempt_from_collections
from webwx.cli.session import Session, command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import ModuleType

    from webwx.cli.bots.metrics import Address
    from webwx.client.client import AsyncClient
    from webwx.client.state import StateChange
    from webwx.errors import LoggedOut

COMMAND_LIMIT = 30.0
"""Maximum seconds that the command of `--on-logout` may take."""


@command(
    "run",
    examples=(
        "webwx run bot.py",
        "webwx run bots.py:family bots.py:work",
        "webwx run bot.py --debug",
        "webwx run bot.py --account work --reload",
        "webwx run bot.py --on-logout 'notify-send webwx'",
        "webwx run bot.py --log-format json --metrics 9100",
        "webwx run bot.py --systemd-unit > ~/.config/systemd/user/webwx-bot.service",
    ),
    endless=True,
)
@click.option(
    "--reload", "is_reloading", is_flag=True, help="Restart when a .py file in FILE's folder or below changes."
)
@click.option(
    "--debug",
    "is_debugging",
    is_flag=True,
    help="Log each event, why handlers did not match, and exception messages; on with --reload. Shows message text.",
)
@click.option(
    "--on-logout",
    metavar="COMMAND",
    help="Command to run when a login ends, without a shell; gets WEBWX_REASON and WEBWX_ACCOUNT.",
)
@click.option(
    "--metrics",
    "metrics_address",
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus at this address; HOST is 127.0.0.1 by default. Requires the extra 'metrics'.",
)
@log_format_option
@click.option("--systemd-unit", "is_unit_wanted", is_flag=True, help="Print a systemd user unit and exit.")
@click.argument("targets", metavar="FILE[:NAME]...", type=click.Path(), nargs=-1, required=True)
def run(
    session: Session,
    targets: tuple[str, ...],
    is_reloading: bool,
    is_debugging: bool,
    on_logout: str | None,
    metrics_address: str | None,
    is_unit_wanted: bool,
) -> Coroutine[Any, Any, None]:
    """
    Run the bots of a Python file.

    Runs every Bot that the file creates, or only NAME, until Ctrl-C or SIGTERM. Running handlers then have ten seconds
    to finish. A bot without a login shows a QR code on stderr. Settings that a bot does not set itself come from the
    options and the environment, as for every command.
    """
    values = click.get_current_context().ensure_object(OptionValues)
    os.environ.update(as_environment(values))
    notice = _as_command(on_logout)
    files = [split_target(target) for target in targets]
    arguments = [f"{path}:{name}" if name else str(path) for path, name in files]
    if on_logout:
        arguments += ["--on-logout", on_logout]
    address = None if metrics_address is None else parse_address(metrics_address)
    if metrics_address is not None:
        arguments += ["--metrics", metrics_address]
    if values.log_format != "text":
        arguments += ["--log-format", values.log_format]
    if is_unit_wanted:
        session.output.program(write_unit(files[0][0], arguments))
        return _nothing()
    if is_reloading:
        flags = ["--debug"] + ["--json"] * values.as_json + ["--verbose"] * values.verbose
        return supervise(session.output, [*arguments, *flags], [path.parent for path, _ in files])
    _ = session.settings  # a mistake in them is reported before a user's program runs
    bots = find_bots(session, files)
    configure_logging(is_debugging=is_debugging, is_verbose=values.verbose, log_format=values.log_format)
    for bot in bots:
        bot.debug = bot.debug or is_debugging
        if notice:
            bot.on_logged_out(_logout_command(bot, notice, session))
    return _serve(session, bots, address)


def as_environment(values: OptionValues) -> dict[str, str]:
    """Return the options as environment variables."""
    variables = {
        "SERVER": values.server, "HOST": values.host, "ACCOUNT": values.account, "PROXY": values.proxy,
        "STORAGE": values.storage,
    }  # fmt: skip
    return {f"WEBWX_{name}": value for name, value in variables.items() if value}


async def _nothing() -> None:
    """Exit code of a bot run that ended regularly."""


async def _serve(session: Session, bots: list[Bot], address: Address | None) -> None:
    """
    Run bots until they are stopped; serve their metrics if there is an address for them.

    Raises:
        BadInput: The bots cannot run in one process, or `webwx[metrics]` is not installed.
        CommandFailed: The address cannot be used.
    """
    await session.choose_account()
    os.environ["WEBWX_ACCOUNT"] = session.settings.account  # for the bots that name none
    try:
        check(*bots)
    except (TypeError, ValueError) as error:
        raise BadInput(str(error)) from None
    if address is None:
        await _run(session, bots)
        return
    from webwx.bot.metrics import Metrics

    try:
        metrics = Metrics()
    except ModuleNotFoundError as error:
        raise BadInput(str(error)) from None
    for bot in bots:
        metrics.time_handlers(bot)
    async with serving(metrics, address) as url:
        session.output.report(_("Metrics are at {url}.").format(url=url))
        await _run(session, bots, on_ready=metrics.add_bot)


async def _run(
    session: Session, bots: list[Bot], on_ready: Callable[[Bot, AsyncClient], object] = lambda *_: None
) -> None:
    starting = set(bots)

    def announce(bot: Bot, client: AsyncClient) -> None:
        on_ready(bot, client)
        account, handlers, timers = client.account, len(list(bot.handlers())), len(bot.timers)
        work = ngettext("{count} handler", "{count} handlers", handlers).format(count=handlers)
        if timers:
            work += _(" and ") + ngettext("{count} timer", "{count} timers", timers).format(count=timers)
        session.output.result(
            _("{name} runs as {nickname} ({host}) with {work}.").format(
                name=bot.name, nickname=account.nickname, host=account.host, work=work
            ),
            bot=bot.name, nickname=account.nickname, id=account.id, host=account.host, handlers=handlers, timers=timers,
        )  # fmt: skip
        if bot in starting:  # what a later login has made ends with it
            starting.discard(bot)
            exempt_from_collections()

    def report(bot: Bot, change: StateChange) -> None:
        if change.is_notable:
            session.output.report(f"{bot.name}: {_(change.template).format(error=change.error)}")

    await start(*bots, on_ready=announce, on_state=report)


# -- files -----------------------------------------------------------------------------------------------------------


def split_target(target: str) -> tuple[Path, str]:
    """
    Split a file from the name of a bot in it.

    Raises:
        BadInput: There is no such file.
    """
    file, colon, name = target.rpartition(":")
    if not colon or Path(target).is_file():
        file, name = target, ""
    path = Path(file)
    if not path.is_file():
        raise BadInput(_("File {file!r} does not exist.").format(file=file))
    return path.resolve(), name


def find_bots(session: Session, files: list[tuple[Path, str]]) -> list[Bot]:
    """
    Load files and return their bots, each once.

    Raises:
        BadInput: There is no bot, or no bot has the given name.
        CommandFailed: A file cannot be loaded.
    """
    loaded: dict[Path, dict[str, Bot]] = {}
    found: dict[int, Bot] = {}
    for path, name in files:
        if path not in loaded:
            loaded[path] = load(session, path)
        bots = loaded[path]
        if not bots:
            raise BadInput(_("{name} creates no Bot; add a line such as 'bot = Bot()'.").format(name=path.name))
        if name and name not in bots:
            raise BadInput(
                _("{name} has no Bot {bot!r}; it has {names}.").format(
                    name=path.name, bot=name, names=", ".join(map(repr, bots))
                )
            )
        found.update((id(bot), bot) for bot in ([bots[name]] if name else bots.values()))
    return list(found.values())


def load(session: Session, path: Path) -> dict[str, Bot]:
    """
    Load a file as a module and return its bots by name; bots that it starts without a name come last.

    Raises:
        CommandFailed: The file raises an exception; Python's traceback is printed.
    """
    with loading() as started:
        try:
            module = run_file(path)
        except Exception as error:  # noqa: BLE001 - a user's program may raise anything
            session.output.report(load_report(error))
            message = _("{name} cannot be run: {what}{next_step}.")
            raise CommandFailed(
                message.format(name=path.name, what=describe(error), next_step=_next_step(error))
            ) from None
    named = _bots_of(module)
    known = {id(bot) for bot in named.values()}
    return named | {f"{bot.name} ({index})": bot for index, bot in enumerate(started) if id(bot) not in known}


def _bots_of(module: ModuleType) -> dict[str, Bot]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Bot)}


def _next_step(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return _("; install the package that has the module {module!r}, beside webwx").format(module=error.name)
    if isinstance(error, ImportError) and (name := right_name(error)):
        return _("; write {name!r} in this line").format(name=name)
    return _("; see above, and correct this line")


# -- the end of a login ----------------------------------------------------------------------------------------------


def _as_command(text: str | None) -> list[str]:
    """
    Split a command as a shell would.

    Raises:
        BadInput: The command is empty, or the program does not exist.
    """
    if text is None:
        return []
    words: list[str] = []
    with suppress(ValueError):  # a quotation mark is missing
        words = shlex.split(text)
    if not words:
        raise BadInput(_("--on-logout is not a command; check its quotes."))
    if shutil.which(words[0]) is None:
        raise BadInput(_("--on-logout cannot run {program!r}: the program does not exist.").format(program=words[0]))
    return words


def _logout_command(bot: Bot, words: list[str], session: Session) -> Callable[[LoggedOut], None]:
    def run_words(end: LoggedOut) -> None:
        variables = {"WEBWX_REASON": end.reason, "WEBWX_ACCOUNT": bot.settings().account}
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command
                words, env=os.environ | variables, stdin=subprocess.DEVNULL, timeout=COMMAND_LIMIT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            session.output.report(_("The command of --on-logout failed: {error}.").format(error=type(error).__name__))
        else:
            if done.returncode:
                session.output.report(
                    _("The command of --on-logout ended with exit code {returncode}.").format(
                        returncode=done.returncode
                    )
                )

    return run_words
