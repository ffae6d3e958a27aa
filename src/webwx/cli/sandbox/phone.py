"""
`webwx phone`: the phones of a running sandbox.

Each command is one request to the sandbox's control API. `phone_actions` makes the commands of the phone actions;
`phone_faults` holds the faults, and `phone_wire` the traffic.
"""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from webwx.cli.exits import CommandFailed
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import N_, _
from webwx.cli.options import FiniteRange, FreeTextCommand, example_text, with_common_options
from webwx.cli.sandbox.control import POLL_INTERVAL, ask_phones
from webwx.cli.sandbox.phone_actions import PHONE_ACTIONS
from webwx.cli.sandbox.phone_faults import FAULT_COMMANDS
from webwx.cli.sandbox.phone_wire import wire
from webwx.cli.session import Session, command
from webwx.errors import TlsError, TransportError
from webwx.protocol.codec import clean_text
from webwx.storage.atomic_write import write_private


@with_common_options
@click.group(
    "phone",
    cls=CliGroup,
    epilog=example_text(
        "webwx phone scan me && webwx phone confirm",
        'webwx phone say 阿华 me "Are you there?"',
        "webwx phone inbox 阿华",
    ),
)
def phone() -> None:
    """
    Control the phones of a running sandbox.

    Name the sandbox with --server or WEBWX_SERVER. Name people by nickname or by the id that 'webwx sandbox' shows;
    'me' is the first person. A chat is a person, a chatroom or 'filehelper'.
    """


for _verb in (*PHONE_ACTIONS, *FAULT_COMMANDS, wire):
    phone.add_command(_verb)


@command(
    "inbox",
    group=phone,
    examples=("webwx phone inbox me --json",),
)
@click.argument("who", default="me")
async def inbox(session: Session, who: str) -> None:
    """Show WHO's phone: chats, unread counts, messages."""
    shown = await ask_phones(session.settings.server, f"inbox?who={quote(clean_text(who))}")
    session.output.result(_describe_inbox(shown), **shown)


@command(
    "wait",
    group=phone,
    cls=FreeTextCommand,
    examples=('webwx phone wait me "pong"', 'webwx phone wait 阿华 "hello" --timeout 10 --json'),
)
@click.argument("who", default="me")
@click.argument("text", default="")
@click.option(
    "--timeout",
    "seconds",
    type=FiniteRange(min=0),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="Fail if the message is not there after SECONDS.",
)
async def wait(session: Session, who: str, text: str, seconds: float) -> None:
    """
    Wait until WHO's phone shows a message that contains TEXT, and print it.

    A message that is there already counts; so do messages that WHO has sent. Of several, prints the newest. Also waits
    for a sandbox that is just starting; without TEXT, for nothing else. Exits with 1 if the time is over.
    """
    text = clean_text(text)
    path = f"inbox?who={quote(clean_text(who))}"
    failure = _("The sandbox does not answer after {seconds:g} s.").format(seconds=seconds)
    try:
        async with asyncio.timeout(seconds):
            while True:
                shown = await _ask_unless_starting(session, path)
                if shown is not None:
                    if not text:
                        session.output.result(_("The sandbox is running."), running=True)
                        return
                    if found := _newest_with(text, shown):
                        session.output.result(_describe_message(found), **found)
                        return
                    failure = _("No message on {nickname}'s phone contains the text after {seconds:g} s.").format(
                        nickname=shown["nickname"], seconds=seconds
                    )
                await asyncio.sleep(POLL_INTERVAL)
    except TimeoutError:
        raise CommandFailed(failure) from None


async def _ask_unless_starting(session: Session, path: str) -> dict[str, Any] | None:
    """Ask the phones; None if the sandbox is not there yet, or a connection breaks off while it starts."""
    try:
        return await ask_phones(session.settings.server, path)
    except TlsError:
        raise
    except TransportError:
        return None


@command(
    "save",
    group=phone,
    examples=("webwx phone save before-the-storm.state",),
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
async def save(session: Session, file: Path) -> None:
    """
    Save the whole sandbox to FILE, with all logins and undelivered events.

    'webwx sandbox --state FILE' continues from it. FILE contains the keys of every login; only you can read it.
    """
    content = base64.b64decode((await ask_phones(session.settings.server, "save", {}))["state"])
    write_private(file, content)
    session.output.result(
        _("Saved in {file} ({count:,} bytes).").format(file=file, count=len(content)), file=str(file), size=len(content)
    )


def _newest_with(text: str, shown: dict[str, Any]) -> dict[str, Any] | None:
    """Return the newest message of a phone that contains a text, with the name of its chat."""
    messages = [{"chat": chat["chat"], **message} for chat in shown["chats"] for message in chat["messages"]]
    found = sorted((each for each in messages if text in each["text"]), key=lambda each: each["time"])
    return found[-1] if found else None


def _describe_inbox(shown: dict[str, Any]) -> list[str]:
    lines = [
        _("{nickname}'s phone").format(nickname=shown["nickname"]) + ("" if shown["chats"] else _(": no messages yet"))
    ]
    for chat in shown["chats"]:
        unread = _(" - {unread} unread").format(unread=chat["unread"]) if chat["unread"] else ""
        lines += ["", f"{chat['chat']}{unread}", *(_describe_message(message) for message in chat["messages"])]
    return lines


def _describe_message(message: dict[str, Any]) -> str:
    at = time.strftime("%H:%M", time.localtime(message["time"]))
    if message["kind"] == "system":
        return f"  {at}  {message['text']}"
    text = message["text"]
    if message["kind"] != "text":
        kind = _(_SHOWN.get(message["kind"], message["kind"].replace("_", " ")))
        size = _(", {size:,} bytes").format(size=message["size"]) if message["size"] else ""
        text = f"[{kind}{size}] {text}".rstrip()
    return f"  {at}  {message['from']}: {text}"


_SHOWN = {"image": N_("picture")}
"""Message kinds whose name here differs from the one in JSON."""
