"""
`webwx phone`: the hands of everybody in a running sandbox.

Each verb is one request to the sandbox's control API, whose module lists the paths. The verbs for all other kinds of
message are in `phone_send`, those for chatrooms in `phone_chatrooms`, those for bad days in `phone_faults`, and
`phone_wire` looks at the wire.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import click

from webwx.cli.control import ask_phones
from webwx.cli.options import FreeTextCommand, example_text, with_common_options
from webwx.cli.phone_chatrooms import CHATROOM_COMMANDS
from webwx.cli.phone_faults import FAULT_COMMANDS
from webwx.cli.phone_send import SENDING
from webwx.cli.phone_wire import wire
from webwx.cli.session import Session, command
from webwx.protocol.codec import clean_text
from webwx.store.private import write_private


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


for _verb in (*CHATROOM_COMMANDS, *SENDING, *FAULT_COMMANDS, wire):
    phone.add_command(_verb)


@command(
    "scan",
    group=phone,
    examples=("webwx phone scan 阿华",),
)
@click.argument("who", default="me")
@click.argument("uuid", default="")
async def scan(session: Session, who: str, uuid: str) -> None:
    """Point WHO's phone at the login code UUID, or at the newest one."""
    await ask_phones(session.settings.server, "scan", {"who": who, "uuid": uuid})
    session.output.result("Scanned; 'webwx phone confirm' lets the login through.", scanned=True)


@command(
    "confirm",
    group=phone,
    examples=("webwx phone confirm",),
)
@click.argument("uuid", default="")
async def confirm(session: Session, uuid: str) -> None:
    """Confirm the login that was scanned."""
    await ask_phones(session.settings.server, "confirm", {"uuid": uuid})
    session.output.result("Confirmed.", confirmed=True)


@command(
    "cancel",
    group=phone,
    examples=("webwx phone cancel",),
)
@click.argument("uuid", default="")
async def cancel(session: Session, uuid: str) -> None:
    """Refuse the login that was scanned."""
    await ask_phones(session.settings.server, "cancel", {"uuid": uuid})
    session.output.result("Cancelled.", cancelled=True)


@command(
    "expire",
    group=phone,
    examples=("webwx phone expire",),
)
@click.argument("uuid", default="")
async def expire(session: Session, uuid: str) -> None:
    """Let a login code's time run out."""
    await ask_phones(session.settings.server, "expire", {"uuid": uuid})
    session.output.result("Expired.", expired=True)


@command(
    "refuse",
    group=phone,
    examples=("webwx phone refuse webwxsendmsg 1205", "webwx phone refuse login 500 --times 3"),
)
@click.argument("endpoint", metavar="CALL")
@click.argument("ret", type=int)
@click.option("--times", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many calls.")
async def refuse(session: Session, endpoint: str, ret: int, times: int) -> None:
    """Answer the next CALL with the number RET, as the platform does on a bad day."""
    await ask_phones(session.settings.server, "refuse", {"endpoint": endpoint, "ret": ret, "times": times})
    session.output.result(f"The next {endpoint} is answered with {ret}.", endpoint=endpoint, ret=ret, times=times)


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
    sent = await ask_phones(session.settings.server, "say", {"from": sender, "to": to, "text": text})
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
    sent = await ask_phones(
        session.settings.server, "picture", {"from": sender, "to": to, "name": Path(file.name).name, "content": content}
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
    gone = await ask_phones(session.settings.server, "recall", {"from": sender, "to": to, "message_id": message_id})
    session.output.result(f"Recalled message {gone['message_id']}.", message_id=gone["message_id"])


@command(
    "open",
    group=phone,
    examples=("webwx phone open me 阿华",),
)
@click.argument("who")
@click.argument("chat")
async def open_chat(session: Session, who: str, chat: str) -> None:
    """Open CHAT on WHO's phone, so that nothing is unread there."""
    await ask_phones(session.settings.server, "open", {"who": who, "chat": chat})
    session.output.result(f"{who} has opened {chat}.", opened=True)


@command(
    "close",
    group=phone,
    examples=("webwx phone close me 阿华",),
)
@click.argument("who")
@click.argument("chat")
async def close_chat(session: Session, who: str, chat: str) -> None:
    """Go back from CHAT to the list of chats on WHO's phone."""
    await ask_phones(session.settings.server, "close", {"who": who, "chat": chat})
    session.output.result(f"{who} has closed {chat}.", closed=True)


@command(
    "read",
    group=phone,
    examples=("webwx phone read me 阿华",),
)
@click.argument("who")
@click.argument("chat")
async def read_chat(session: Session, who: str, chat: str) -> None:
    """Read CHAT on WHO's phone without opening it, as from a notification."""
    await ask_phones(session.settings.server, "read", {"who": who, "chat": chat})
    session.output.result(f"{who} has read {chat}.", read=True)


@command(
    "accept",
    group=phone,
    examples=("webwx phone accept 阿华 me",),
)
@click.argument("who")
@click.argument("asked_by", metavar="FROM")
async def accept(session: Session, who: str, asked_by: str) -> None:
    """Let WHO accept FROM's friend request."""
    await ask_phones(session.settings.server, "accept", {"who": who, "asked_by": asked_by})
    session.output.result(f"{who} and {asked_by} are friends now.", accepted=True)


@command(
    "block",
    group=phone,
    examples=("webwx phone block 阿华",),
)
@click.argument("who")
@click.argument("whom", default="me")
async def block(session: Session, who: str, whom: str) -> None:
    """Let WHO put WHOM on the blacklist: messages do not arrive, and into a chatroom WHO is not added."""
    await ask_phones(session.settings.server, "block", {"who": who, "whom": whom})
    session.output.result(f"{who} has blocked {whom}.", blocked=True)


@command(
    "unblock",
    group=phone,
    examples=("webwx phone unblock 阿华",),
)
@click.argument("who")
@click.argument("whom", default="me")
async def unblock(session: Session, who: str, whom: str) -> None:
    """Let WHO take WHOM off the blacklist."""
    await ask_phones(session.settings.server, "unblock", {"who": who, "whom": whom})
    session.output.result(f"{who} has {whom} on the blacklist no more.", blocked=False)


@command(
    "remark",
    group=phone,
    cls=FreeTextCommand,
    examples=("webwx phone remark me 阿华 花花",),
)
@click.argument("who")
@click.argument("friend")
@click.argument("remark", default="")
async def remark_friend(session: Session, who: str, friend: str, remark: str) -> None:
    """Let WHO call FRIEND by a REMARK, or by none."""
    await ask_phones(session.settings.server, "remark", {"who": who, "friend": friend, "remark": remark})
    session.output.result(f"{who} calls {friend} {remark}." if remark else f"{friend} has no remark.", remark=remark)


@command(
    "pin",
    group=phone,
    examples=("webwx phone pin me 阿华",),
)
@click.argument("who")
@click.argument("chat")
async def pin(session: Session, who: str, chat: str) -> None:
    """Pin CHAT to the top of WHO's list."""
    await ask_phones(session.settings.server, "pin", {"who": who, "chat": chat})
    session.output.result(f"{who} has pinned {chat}.", pinned=True)


@command(
    "unpin",
    group=phone,
    examples=("webwx phone unpin me 阿华",),
)
@click.argument("who")
@click.argument("chat")
async def unpin(session: Session, who: str, chat: str) -> None:
    """Let CHAT go from the top of WHO's list."""
    await ask_phones(session.settings.server, "unpin", {"who": who, "chat": chat})
    session.output.result(f"{who} has {chat} pinned no more.", pinned=False)


@command(
    "log-out",
    group=phone,
    examples=("webwx phone log-out",),
)
@click.argument("who", default="me")
async def log_out(session: Session, who: str) -> None:
    """Log WHO's web client out from the phone: it learns 1100."""
    await ask_phones(session.settings.server, "log-out", {"who": who})
    session.output.result(f"{who} is logged out.", logged_out=True)


@command(
    "evict",
    group=phone,
    examples=("webwx phone evict",),
)
@click.argument("who", default="me")
async def evict(session: Session, who: str) -> None:
    """Let another client log in as WHO: the one there is learns 1101."""
    await ask_phones(session.settings.server, "evict", {"who": who})
    session.output.result(f"Another client has taken {who}'s login.", evicted=True)


@command(
    "offline",
    group=phone,
    examples=("webwx phone offline",),
)
@click.argument("who", default="me")
async def go_offline(session: Session, who: str) -> None:
    """Take the network from WHO's phone: nothing is sent, and a client's sends are refused with Ret 3."""
    await ask_phones(session.settings.server, "offline", {"who": who})
    session.output.result(f"{who}'s phone is offline; 'webwx phone online' ends that.", offline=True)


@command(
    "online",
    group=phone,
    examples=("webwx phone online",),
)
@click.argument("who", default="me")
async def go_online(session: Session, who: str) -> None:
    """Give WHO's phone its network back."""
    await ask_phones(session.settings.server, "online", {"who": who})
    session.output.result(f"{who}'s phone is online.", offline=False)


@command(
    "inbox",
    group=phone,
    examples=("webwx phone inbox me --json",),
)
@click.argument("who", default="me")
async def inbox(session: Session, who: str) -> None:
    """Show what is on WHO's phone: chats, unread counts, messages."""
    shown = await ask_phones(session.settings.server, f"inbox?who={quote(clean_text(who))}")
    session.output.result(_describe_inbox(shown), **shown)


@command(
    "wind",
    group=phone,
    examples=("webwx phone wind 121    # too late now to recall anything",),
)
@click.argument("seconds", type=float)
async def wind(session: Session, seconds: float) -> None:
    """Move the sandbox's clock forward by SECONDS, instead of waiting."""
    moved = await ask_phones(session.settings.server, "wind", {"seconds": seconds})
    session.output.result(f"The sandbox's clock is {seconds:g} s further on.", now=moved["now"])


@command(
    "save",
    group=phone,
    examples=("webwx phone save before-the-storm.state",),
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
async def save(session: Session, file: Path) -> None:
    """
    Save the whole sandbox in FILE, with all logins and what they have yet to hear.

    'webwx sandbox --state FILE' goes on from there. FILE holds the keys of every login, and only you can read it.
    """
    content = base64.b64decode((await ask_phones(session.settings.server, "save", {}))["state"])
    write_private(file, content)
    session.output.result(f"Saved in {file} ({len(content):,} bytes).", file=str(file), size=len(content))


def _describe_inbox(shown: dict[str, Any]) -> list[str]:
    lines = [f"{shown['nickname']}'s phone" + ("" if shown["chats"] else ": no messages yet")]
    for chat in shown["chats"]:
        unread = f" - {chat['unread']} unread" if chat["unread"] else ""
        lines += ["", f"{chat['chat']}{unread}", *(_describe_message(message) for message in chat["messages"])]
    return lines


def _describe_message(message: dict[str, Any]) -> str:
    at = time.strftime("%H:%M", time.localtime(message["time"]))
    if message["kind"] == "system":
        return f"  {at}  {message['text']}"
    said = message["text"]
    if message["kind"] != "text":
        kind = _SHOWN.get(message["kind"], message["kind"].replace("_", " "))
        size = f", {message['size']:,} bytes" if message["size"] else ""
        said = f"[{kind}{size}] {said}".rstrip()
    return f"  {at}  {message['from']}: {said}"


_SHOWN = {"image": "picture"}
"""Kinds whose name here is another than in JSON."""
