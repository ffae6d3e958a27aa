"""
`webwx send`, `read`, `recall`, `forward` and `listen`.

What one prints with `--json` another takes on stdin: a receipt of `send` goes into `recall`, a line of `listen` into
`forward`.
"""

from __future__ import annotations

import time
from contextlib import aclosing, nullcontext
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webwx.cli.exits import BadInput
from webwx.cli.names import complete_chats
from webwx.cli.options import FreeTextCommand
from webwx.cli.progress import shown_progress
from webwx.cli.session import Session, command, ended_by_reader, piped_bytes, read_piped_line, read_text
from webwx.cli.summary import summarize
from webwx.client.aio import AsyncClient
from webwx.errors import StorageError
from webwx.model.contacts import FILEHELPER
from webwx.model.events import (
    ContactChanged,
    ContactDeleted,
    QuarantinedMessage,
    event_from_json,
    event_to_json,
)
from webwx.model.messages import (
    Event,
    Message,
    MessageRecalled,
    PhoneActivity,
    Receipt,
)
from webwx.protocol.codec import clean_text
from webwx.store.private import write_private

if TYPE_CHECKING:
    from webwx.model.contacts import Contacts

# -- send ------------------------------------------------------------------------------------------------------------

_PATH = click.Path(allow_dash=True)


@command(
    "send",
    cls=FreeTextCommand,
    examples=(
        'webwx send filehelper "hello"',
        'webwx send 阿华 "在吗？" --json',
        "webwx send 阿华 --image photo.jpg",
        "webwx send --file report.pdf",
        "make 2>&1 | tail -1 | webwx send",
        "pg_dump shop | webwx send --file - --name shop.sql",
    ),
)
@click.argument("words", nargs=-1, metavar="[TO] [TEXT]", shell_complete=complete_chats)
@click.option("--image", type=_PATH, metavar="PATH", help="Send this picture: JPEG, PNG, BMP, GIF.")
@click.option("--video", type=_PATH, metavar="PATH", help="Send this video: mp4.")
@click.option("--sticker", type=_PATH, metavar="PATH|MD5", help="Send this GIF as a sticker, or the one of this md5.")
@click.option("--file", type=_PATH, metavar="PATH", help="Send this file, of any kind.")
@click.option("--name", metavar="NAME", help="What the receiver sees as the file's name.  [default: that of PATH]")
async def send(
    session: Session,
    words: tuple[str, ...],
    image: str | None,
    video: str | None,
    sticker: str | None,
    file: str | None,
    name: str | None,
) -> None:
    """
    Send a text, a picture or any file, and print the receipt.

    TO is 'filehelper' (your own phone), a remark, a nickname, or an id. TEXT is sent as it is, whatever it looks like.
    Without TO a picture or file goes to filehelper, and without any argument the text is read from stdin and goes there
    too. A PATH of '-' is what comes on stdin.
    """
    given = [
        (AsyncClient.send_image, image),
        (AsyncClient.send_video, video),
        (AsyncClient.send_sticker, sticker),
        (AsyncClient.send_file, file),
    ]
    attached = [(send_it, source) for send_it, source in given if source is not None]
    match words, attached:
        case [to, text], []:
            pass
        case [to], [_]:
            text = ""
        case [], [] | [_]:
            to, text = FILEHELPER, ""
        case _:
            raise click.UsageError(
                "Give TO and TEXT (quoted, when it has spaces), or [TO] --image PATH (or --video, --sticker, --file), "
                "or nothing and the text on stdin"
            )
    if name is not None and not attached:
        raise click.UsageError("--name needs a file: give it with --file (or --image, --video, --sticker)")
    async with session.logged_in() as client:
        if attached:
            [(send_it, path)] = attached
            name = clean_text(name or "")
            given_bytes = piped_bytes(session.output) if path == "-" else nullcontext(path)
            with given_bytes as source, shown_progress(name or Path(path).name) as progress:
                receipt = await send_it(client, clean_text(to), source, name=name, progress=progress)
        else:
            text = text if words else read_text(session.output)
            receipt = await client.send_text(clean_text(to), clean_text(text))
        _report_sent(session, receipt, _name(client.contacts, receipt.chat))


def _report_sent(session: Session, receipt: Receipt, to: str) -> None:
    session.output.line(f"Sent to {to}; 'webwx recall' takes it back for two minutes.", receipt.to_json())
    try:
        write_private(session.settings.last_receipt_path, receipt.to_json().encode())
    except StorageError as error:
        # The message has gone out: that must not look like a failure of the send.
        session.output.tell(f"webwx: 'webwx recall' will need this receipt, which could not be kept. {error}")


# -- read and recall -------------------------------------------------------------------------------------------------


@command("read", examples=("webwx read 阿华",))
@click.argument("chat", shell_complete=complete_chats)
async def read(session: Session, chat: str) -> None:
    """
    Mark a chat as read, on the phone too.

    CHAT is a remark, a nickname, a chatroom's name, or an id.
    """
    async with session.logged_in() as client:
        contact = client.contacts.resolve(clean_text(chat))
        await client.mark_read(contact)
    session.output.result(f"{contact.display_name} is marked as read.", read=True, chat=contact.id)


@command(
    "recall",
    examples=(
        "webwx recall",
        'webwx send 阿华 "hello" --json | webwx recall',
    ),
)
async def recall(session: Session) -> None:
    """
    Take back a message sent less than two minutes ago.

    Reads the receipt of 'webwx send --json' from stdin; without one it takes back the last message that was sent.
    """
    last = _last_receipt(session)
    piped = read_piped_line()
    receipt = _read_receipt(piped) if piped else last
    if receipt is None:
        raise BadInput("Nothing was sent that could be recalled; pipe in a receipt that 'webwx send --json' printed.")
    async with session.logged_in() as client:
        await client.recall(receipt)
        chat = _name(client.contacts, receipt.chat)
    if receipt == last:
        session.settings.last_receipt_path.unlink(missing_ok=True)
    session.output.result(
        f"Recalled; {chat} sees that something was taken back, not what.",
        recalled=True, message_id=receipt.message_id, chat=receipt.chat,
    )  # fmt: skip


def _read_receipt(line: str) -> Receipt:
    try:
        return Receipt.from_json(line)
    except ValueError:
        raise BadInput("That is no receipt; pipe in a line that 'webwx send --json' printed.") from None


def _last_receipt(session: Session) -> Receipt | None:
    try:
        return Receipt.from_json(session.settings.last_receipt_path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


# -- forward ---------------------------------------------------------------------------------------------------------


@command("forward", examples=("webwx listen --json --count 1 | webwx forward filehelper",))
@click.argument("to", shell_complete=complete_chats)
async def forward(session: Session, to: str) -> None:
    """
    Send a received message on, recalled or not.

    Takes a line of 'webwx listen --json' on stdin: a text, a place, a picture, a video, a sticker or a file. A picture
    travels by its keys, so it goes on after it has been recalled as well; what has no keys is downloaded and sent anew.
    """
    line = read_piped_line()
    if not line:
        raise BadInput("Nothing was piped in; give a line of 'webwx listen --json' on stdin.")
    try:
        message = event_from_json(line)
    except ValueError:
        raise BadInput("That is no message; pipe in a line that 'webwx listen --json' printed.") from None
    async with session.logged_in() as client:
        receipt = await client.forward(message, clean_text(to))
        _report_sent(session, receipt, _name(client.contacts, receipt.chat))


# -- listen ----------------------------------------------------------------------------------------------------------


@command(
    "listen",
    endless=True,
    examples=(
        "webwx listen",
        "webwx listen --json --count 1",
        """webwx listen --json | jq -r 'select(.event == "text_message") | .text'""",
    ),
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events.  [default: never]")
@click.option(
    "--all",
    "include_all",
    is_flag=True,
    help="Print what the phone does and changes of contacts as well, and count it.",
)
async def listen(session: Session, count: int | None, include_all: bool) -> None:
    """
    Print messages and recalls as they arrive.

    What has arrived and is not printed when this ends is printed first the next time. With --json each line is a whole
    event, its content as the platform delivered it, fit for 'webwx forward'.
    """
    async with session.logged_in() as client:
        with ended_by_reader():
            async with aclosing(client.events(include_all=include_all)) as events:
                printed = count_from(1)
                async for event in events:
                    session.output.line(describe(event, client.contacts), event_to_json(event))
                    if next(printed) == count:
                        break


def describe(event: Event, contacts: Contacts) -> str:
    """Say in a line for a person what happened."""
    match event:
        case Message():
            return f"{_place(event, contacts)}: {summarize(event)}"
        case MessageRecalled():
            was = f" (it was: {summarize(event.original)})" if event.original else ""
            return f"{_clock(event.time)}  {_name(contacts, event.chat)}: {event.text}{was}"
        case PhoneActivity():
            return _PHONE[event.action].format(chat=_name(contacts, event.chat))
        case ContactChanged():
            return f"{event.contact.display_name} is new or has changed."
        case ContactDeleted():
            return f"{event.id} is gone from the contacts or chats."
        case QuarantinedMessage():
            return f"Something arrived that could not be read ({event.reason})."
        case _:
            return type(event).__name__


_PHONE = {
    "read": "The phone has read {chat}.",
    "opened": "The phone has opened {chat}.",
    "left": "The phone has left {chat}.",
    "recent": "The phone has told its recent chats.",
    "other": "The phone did something with {chat}.",
}
"""What the phone did, by `PhoneActivity.action`."""


def _place(message: Message, contacts: Contacts) -> str:
    """Say when, in which chat and by whom a message was written."""
    chat = _name(contacts, message.chat)
    if message.is_self:
        return f"{_clock(message.time)}  you to {chat}"
    if message.sender in {None, message.chat}:
        return f"{_clock(message.time)}  {chat}"
    return f"{_clock(message.time)}  {_member_name(contacts, message)} in {chat}"


def _member_name(contacts: Contacts, message: Message) -> str:
    sender = message.sender or ""
    room = contacts.get(message.chat)
    named = {member.id: member.display_name or member.nickname for member in room.members} if room else {}
    return named.get(message.sender or message.chat) or _name(contacts, sender)


def _name(contacts: Contacts, contact_id: str) -> str:
    contact = contacts.get(contact_id)
    return contact.display_name if contact else contact_id


def _clock(seconds: int) -> str:
    return time.strftime("%H:%M", time.localtime(seconds))
