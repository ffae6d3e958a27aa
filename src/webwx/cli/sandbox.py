"""`webwx sandbox`: a server of the protocol on this machine."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Literal

import click

from webwx.cli.exits import CommandFailed
from webwx.cli.session import Session, command
from webwx.sandbox.core import Sandbox
from webwx.sandbox.serve import serve
from webwx.sandbox.switches import Switches
from webwx.sandbox.world import default_world

if TYPE_CHECKING:
    from webwx.sandbox.serve import Served

OnOff = Literal["on", "off"]


@command(
    "sandbox",
    endless=True,
    examples=(
        "webwx sandbox",
        "webwx sandbox --port 0 --auto-confirm --json",
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8790,
    show_default=True,
    metavar="N",
    help="Port on 127.0.0.1; 0 takes any free one.",
)
@click.option(
    "--auto-confirm", is_flag=True, help="Confirm every login, for the first person who is not logged in yet."
)
@click.option(
    "--media-after-recall",
    type=click.Choice(["gone", "kept"]),
    default="gone",
    show_default=True,
    help="Whether a recalled picture can still be downloaded.",
)
@click.option(
    "--echo",
    type=click.Choice(["on", "off"]),
    default="off",
    show_default=True,
    help="Whether a client is told of what it sends itself.",
)
@click.option("--fold-repeats", is_flag=True, help="Deliver an equal message sent twice within a minute only once.")
async def sandbox(
    session: Session,
    port: int,
    auto_confirm: bool,
    media_after_recall: Literal["gone", "kept"],
    echo: OnOff,
    fold_repeats: bool,
) -> None:
    """
    Run a server of the protocol on this machine.

    It has four people who are friends, and forgets everything when it ends. Only this machine can reach it. Be their
    phones with 'webwx phone'; end it with Ctrl-C.
    """
    switches = Switches(
        auto_confirm=auto_confirm, media_after_recall=media_after_recall, echo=echo, fold_repeats=fold_repeats
    )
    try:
        served = await serve(Sandbox(default_world(switches=switches)), port=port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandFailed(
            f"Port {port} is taken; choose another with --port, or any free one with --port 0."
        ) from None
    try:
        session.output.result(
            _welcome(served, auto_confirm=auto_confirm),
            url=served.url, control=served.control, accounts=served.accounts,
        )  # fmt: skip
        await asyncio.Event().wait()
    finally:
        await served.close()


def _welcome(served: Served, *, auto_confirm: bool) -> str:
    people = ", ".join(f"{person['nickname']} ({person['id']})" for person in served.accounts)
    # A login waits for the phone, so the phone's commands are for a terminal of their own.
    scan, confirm = (f"webwx phone --server {served.url} {verb}" for verb in ("scan", "confirm"))
    phone = "" if auto_confirm else f"  {scan} && {confirm}    # in a third, while login waits\n"
    return (
        f"A sandbox is running at {served.url}, for this machine only.\n"
        f"People: {people}. You are the first.\n"
        "\n"
        "Type next, in another terminal:\n"
        "\n"
        f"  export WEBWX_SERVER={served.url}\n"
        "  webwx login\n"
        f"{phone}"
        '  webwx send filehelper "hello"\n'
        "  webwx phone inbox me\n"
        "\n"
        "Ctrl-C ends it; nothing is kept."
    )
