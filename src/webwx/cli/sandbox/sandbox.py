"""`webwx sandbox`: a server of the protocol on this machine."""

from __future__ import annotations

import asyncio
import errno
import webbrowser
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import N_, _
from webwx.cli.sandbox.faults import turn_on, with_fault_options
from webwx.cli.sandbox.friends import play_file
from webwx.cli.sandbox.saved_world import kept, locked, read_state
from webwx.cli.session import Session, command
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import STRICT, Options
from webwx.sandbox.serve import serve
from webwx.sandbox.tls import NoCertificates
from webwx.sandbox.worlds import open_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from webwx.sandbox.serve import RunningSandbox, TlsAccess
    from webwx.sandbox.world import World

_DEFAULT = "default"
"""Name of the default world."""

_MANY = 10
"""Maximum number of people that a sentence names."""

OnOff = Literal["on", "off"]

_PORT_SENTENCES = {
    errno.EADDRINUSE: N_("Port {port} is taken; choose another with --port, or any free one with --port 0."),
    errno.EACCES: N_(
        "Port {port} needs privileges on this machine; allow it until the next restart with"
        " 'sudo sysctl net.ipv4.ip_unprivileged_port_start={port}', or omit --port."
    ),
}
"""Texts for the errors of opening a port."""


@command(
    "sandbox",
    endless=True,
    examples=(
        "webwx sandbox",
        "webwx sandbox --open",
        "webwx sandbox --port 0 --auto-confirm --json",
        "webwx sandbox --tls --switch redirect_origin=https://wx2.qq.com",
        "webwx sandbox --tls --port 443 --json",
        "webwx sandbox --state ~/sandbox.state",
        "webwx sandbox --world family.toml --scenario friends.py",
        "webwx sandbox --strict --switch picture_content=hash",
        "webwx sandbox --seed 7 --fault truncated@0.1 --fault sticky_selector:times=20",
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8790,
    show_default=True,
    metavar="N",
    help="Port on 127.0.0.1; 0 means any free port. With --tls and 443, the real host names work without a proxy.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page with all phones in the browser.")
@click.option("--auto-confirm", is_flag=True, help="Confirm every login as the first person who is not logged in.")
@click.option(
    "--media-after-recall",
    type=click.Choice(["gone", "kept"]),
    show_default="gone",
    help="Keep recalled pictures downloadable, or not.",
)
@click.option(
    "--echo",
    type=click.Choice(["on", "off"]),
    show_default="off",
    help="Deliver to a client the messages that it has sent.",
)
@click.option("--fold-repeats", is_flag=True, help="Deliver equal messages of one minute only once.")
@click.option("--tls", is_flag=True, help="Also serve the platform's host names, through a proxy on the same port.")
@click.option(
    "--strict", is_flag=True, help="Apply the platform's strictest behaviour: rate limits, logouts, replays and more."
)
@click.option(
    "--switch",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set an option of the sandbox, such as login_refused=true; repeatable.",
)
@click.option(
    "--world",
    "source",
    default=_DEFAULT,
    show_default=True,
    metavar="FILE",
    help="World to serve: a TOML file, 'default', or 'big' with 10,000 contacts.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Continue from FILE if it exists, and save everything to it.",
)
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add the scripted friends of a Python FILE.",
)
@with_fault_options
async def sandbox(
    session: Session,
    port: int,
    is_opened: bool,
    auto_confirm: bool,
    media_after_recall: Literal["gone", "kept"] | None,
    echo: OnOff | None,
    fold_repeats: bool,
    tls: bool,
    strict: bool,
    source: str,
    more: tuple[str, ...],
    state: Path | None,
    scenario: Path | None,
    rules: tuple[str, ...],
    script: Path | None,
    seed: int | None,
) -> None:
    """
    Run a server of the protocol on this machine.

    Serves a world with four people who are friends, or the world of a file. Everything is lost at the end unless
    --state saves it. Only this machine can connect. Open the printed address in a browser to use the phones, or run
    'webwx phone'. Press Ctrl-C to end it.
    """
    options = {
        "auto_confirm": auto_confirm or None, "media_after_recall": media_after_recall, "echo": echo,
        "fold_repeats": fold_repeats or None,
    }  # fmt: skip
    given = (STRICT if strict else {}) | {name: value for name, value in options.items() if value is not None}

    def change(own: Options) -> Options:
        return _with(own, given, more)

    async with AsyncExitStack() as opened:
        if state is None:
            world = _new_world(source, change, seed)
        else:
            opened.enter_context(locked(state))
            found = read_state(state, change, seed)
            if found is not None and source != _DEFAULT:
                session.output.report(
                    _("{state} continues with its saved world; --world {source} applies only to a new file.").format(
                        state=state, source=source
                    )
                )
            world = found or _new_world(source, change, seed)
            await opened.enter_async_context(kept(world, state, session.output.report))
        served = await _serve(world, port, tls=tls)
        opened.push_async_callback(served.close)
        turn_on(world.faults, rules, script)
        if scenario is not None:
            play_file(scenario, world, session.output.report)
        faults = {"seed": world.faults.seed} if rules or script or seed is not None else {}
        session.output.result(
            _welcome(served, auto_confirm=world.options.auto_confirm, seed=faults.get("seed"), state=state),
            url=served.url, control=served.control, phone=served.phone, accounts=served.accounts, **faults,
            **({"ca": served.tls.ca, "proxy": served.tls.proxy, "hosts": served.tls.hosts} if served.tls else {}),
        )  # fmt: skip
        if is_opened:
            await asyncio.to_thread(webbrowser.open, served.phone)
        await asyncio.Event().wait()


def _new_world(source: str, change: Callable[[Options], Options], seed: int | None) -> World:
    """
    Return the world that the options ask for.

    Raises:
        BadInput: An option is invalid.
    """
    try:
        return open_world(source, change=change, seed=seed)
    except Impossible as no:
        raise BadInput(str(no)) from None


async def _serve(world: World, port: int, *, tls: bool) -> RunningSandbox:
    """
    Start listening.

    Raises:
        CommandFailed: The port is not available, or an extra is missing.
    """
    try:
        return await serve(SandboxCore(world), port=port, tls=tls)
    except NoCertificates as error:
        raise CommandFailed(str(error)) from None
    except OSError as error:
        if error.errno not in _PORT_SENTENCES:
            raise
        raise CommandFailed(_(_PORT_SENTENCES[error.errno]).format(port=port)) from None


def _with(options: Options, given: Mapping[str, object], more: tuple[str, ...]) -> Options:
    """Return the options with these values set: `name=value`."""
    chosen = msgspec.structs.asdict(options) | dict(given)
    for text in more:
        name, _sign, value = text.partition("=")
        if name not in chosen:
            raise click.BadParameter(
                _("There is no option {name!r}; the options are {names}.").format(name=name, names=", ".join(chosen))
            )
        chosen[name] = value
    try:
        return msgspec.convert(chosen, Options, strict=False)
    except msgspec.ValidationError as error:
        raise click.BadParameter(_("The option cannot have that value: {error}.").format(error=error)) from None


def _welcome(served: RunningSandbox, *, auto_confirm: bool, seed: int | None, state: Path | None) -> list[str]:
    people = ", ".join(f"{person['nickname']} ({person['id']})" for person in served.accounts[:_MANY])
    people += _(", and others") if len(served.accounts) > _MANY else ""
    # A login waits for the phone, so the phone's commands are for a terminal of their own.
    scan, confirm = (f"webwx phone --server {served.url} {verb}" for verb in ("scan", "confirm"))
    phone = (
        []
        if auto_confirm
        else [_("  {scan} && {confirm}    # in a third, while login waits").format(scan=scan, confirm=confirm)]
    )
    faults = (
        [] if seed is None else [_("Faults are on (seed {seed}); 'webwx phone faults' lists them.").format(seed=seed)]
    )
    return [
        _("A sandbox is running at {url}, for this machine only.").format(url=served.url),
        _("Its phones are in your browser: {phone}").format(phone=served.phone),
        *faults,
        _("People: {people}. You are the first.").format(people=people),
        "",
        _("Type next, in another terminal:"),
        "",
        f"  export WEBWX_SERVER={served.url}",
        "  webwx login",
        *phone,
        '  webwx send filehelper "hello"',
        "  webwx phone inbox me",
        *_tls_notes(served.tls),
        "",
        _("Ctrl-C ends it; nothing is kept.")
        if state is None
        else _("Ctrl-C ends it; {state} keeps everything.").format(state=state),
    ]


def _tls_notes(tls: TlsAccess | None) -> list[str]:
    """Return lines that explain how to connect a client that uses only the real host names."""
    if tls is None:
        return []
    names = _("{count} of the platform's own hosts, such as https://wx.qq.com").format(count=len(tls.hosts))
    wants = _("one in Python wants SSL_CERT_FILE or REQUESTS_CA_BUNDLE in place of the last")
    notes = [
        "",
        _("It also plays {names}. Any client reaches").format(names=names),
        _("them with these; {wants}:").format(wants=wants),
        "",
        f"  export HTTPS_PROXY={tls.proxy}",
        f"  export NODE_EXTRA_CA_CERTS={tls.ca}",
    ]
    if tls.is_straight:
        notes += [
            "",
            _("They answer on port 443 as well, without a proxy, for clients that have these lines in a hosts file."),
            _("Use one of a namespace or a container: with them, this machine would find the real ones no more."),
            "",
            *(f"  {line}" for line in tls.hosts),
        ]
    return notes
