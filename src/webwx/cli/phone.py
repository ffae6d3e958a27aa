"""
`webwx phone`: the hands of everybody in a running sandbox.

Each verb is one request to the sandbox's control API, whose module lists the paths.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import click

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.options import FreeTextCommand, example_text, with_common_options
from webwx.cli.session import Session, command
from webwx.protocol.codec import clean_text
from webwx.protocol.hosts import single
from webwx.protocol.http import Request
from webwx.transport.network import Network


@with_common_options
@click.group(
    "phone",
    epilog=example_text(
        "webwx phone scan me && webwx phone confirm",
        'webwx phone say 阿华 me "Are you there?"',
        "webwx phone inbox 阿华",
    ),
)
def phone() -> None:
    """
    Be the phone and the friends of a running sandbox.

    Name the sandbox with --server or WEBWX_SERVER. People are named by nickname or by the id that 'webwx sandbox'
    shows; 'me' is the first of them. A chat is a person, a chatroom or 'filehelper'.
    """


@command(
    "scan",
    group=phone,
    examples=("webwx phone scan 阿华",),
)
@click.argument("who", default="me")
@click.argument("uuid", default="")
async def scan(session: Session, who: str, uuid: str) -> None:
    """Point WHO's phone at the login code UUID, or at the newest one."""
    await _control(session, "scan", {"who": who, "uuid": uuid})
    session.output.result("Scanned; 'webwx phone confirm' lets the login through.", scanned=True)


@command(
    "confirm",
    group=phone,
    examples=("webwx phone confirm",),
)
@click.argument("uuid", default="")
async def confirm(session: Session, uuid: str) -> None:
    """Confirm the login that was scanned."""
    await _control(session, "confirm", {"uuid": uuid})
    session.output.result("Confirmed.", confirmed=True)


@command(
    "cancel",
    group=phone,
    examples=("webwx phone cancel",),
)
@click.argument("uuid", default="")
async def cancel(session: Session, uuid: str) -> None:
    """Refuse the login that was scanned."""
    await _control(session, "cancel", {"uuid": uuid})
    session.output.result("Cancelled.", cancelled=True)


@command(
    "say",
    group=phone,
    cls=FreeTextCommand,
    examples=('webwx phone say 阿华 me "Are you there?"',),
)
@click.argument("sender", metavar="FROM")
@click.argument("to")
@click.argument("text")
async def say(session: Session, sender: str, to: str, text: str) -> None:
    """Write TEXT on FROM's phone."""
    sent = await _control(session, "say", {"from": sender, "to": to, "text": text})
    session.output.result(f"Sent to {to} (message {sent['message_id']}).", message_id=sent["message_id"])


@command(
    "picture",
    group=phone,
    examples=("webwx phone picture 阿华 me holiday.jpg",),
)
@click.argument("sender", metavar="FROM")
@click.argument("to")
@click.argument("file", type=click.File("rb"))
async def picture(session: Session, sender: str, to: str, file: BinaryIO) -> None:
    """Send the picture FILE from FROM's phone."""
    content = base64.b64encode(file.read()).decode()
    sent = await _control(
        session, "picture", {"from": sender, "to": to, "name": Path(file.name).name, "content": content}
    )
    session.output.result(
        f"Sent to {to} (message {sent['message_id']}, md5 {sent['md5']}).",
        message_id=sent["message_id"], md5=sent["md5"],
    )  # fmt: skip


@command(
    "recall",
    group=phone,
    examples=("webwx phone recall 阿华 me",),
)
@click.argument("sender", metavar="FROM")
@click.argument("to")
@click.argument("message_id", metavar="[ID]", default="")
async def recall(session: Session, sender: str, to: str, message_id: str) -> None:
    """Take back what FROM sent to TO: the message ID, or the last one."""
    gone = await _control(session, "recall", {"from": sender, "to": to, "message_id": message_id})
    session.output.result(f"Recalled message {gone['message_id']}.", message_id=gone["message_id"])


@command(
    "inbox",
    group=phone,
    examples=("webwx phone inbox me --json",),
)
@click.argument("who", default="me")
async def inbox(session: Session, who: str) -> None:
    """Show what is on WHO's phone: chats, unread counts, messages."""
    shown = await _control(session, f"inbox?who={quote(clean_text(who))}")
    session.output.result(_describe_inbox(shown), **shown)


@command(
    "wind",
    group=phone,
    examples=("webwx phone wind 121    # too late now to recall anything",),
)
@click.argument("seconds", type=float)
async def wind(session: Session, seconds: float) -> None:
    """Move the sandbox's clock forward by SECONDS, instead of waiting."""
    moved = await _control(session, "wind", {"seconds": seconds})
    session.output.result(f"The sandbox's clock is {seconds:g} s further on.", now=moved["now"])


async def _control(session: Session, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the control API: GET without fields, else POST."""
    cleaned = {name: clean_text(value) if isinstance(value, str) else value for name, value in (fields or {}).items()}
    network = Network()
    try:
        response = await network.send(
            Request(
                endpoint="control",
                method="GET" if fields is None else "POST",
                url=f"{_control_url(session.settings.server)}/{path}",
                headers=(("Content-Type", "application/json"),),
                body=b"" if fields is None else json.dumps(cleaned).encode(),
            )
        )
    finally:
        await network.close()
    try:
        answer: dict[str, Any] = json.loads(response.body)
        refusal = answer.get("error")
    except (ValueError, AttributeError):
        raise CommandFailed("There is a server, but it has no phones; is it a 'webwx sandbox'?") from None
    if refusal:
        raise BadInput(refusal)
    return answer


def _control_url(server: str | None) -> str:
    if server is None:
        raise click.UsageError("No sandbox is named; give the address it printed as --server or WEBWX_SERVER")
    return f"{single(server.rstrip('/').removesuffix('/control')).main}/control"


def _describe_inbox(shown: dict[str, Any]) -> str:
    lines = [f"{shown['nickname']}'s phone" + ("" if shown["chats"] else ": no messages yet")]
    for chat in shown["chats"]:
        unread = f" - {chat['unread']} unread" if chat["unread"] else ""
        lines += ["", f"{chat['chat']}{unread}", *(_describe_message(message) for message in chat["messages"])]
    return "\n".join(lines)


def _describe_message(message: dict[str, Any]) -> str:
    at = time.strftime("%H:%M", time.localtime(message["time"]))
    if message["kind"] == "system":
        return f"  {at}  {message['text']}"
    what = f"[picture, {message['size']:,} bytes]" if message["kind"] == "image" else message["text"]
    return f"  {at}  {message['from']}: {what}"
