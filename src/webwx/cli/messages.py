"""
`webwx send`, `read`, `recall`, `forward` and `listen`.

What one prints with `--json` another takes on stdin: a receipt of `send` goes into `recall`, a line of `listen` into
`forward`. What was sent stands in the journal's outbox, from which `recall` takes the last one.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webwx.cli.consumers import LISTEN
from webwx.cli.exits import BadInput
from webwx.cli.names import complete_chats, complete_each_chat, whom
from webwx.cli.options import FreeTextCommand
from webwx.cli.progress import shown_progress
from webwx.cli.session import (
    Session,
    checked_text,
    command,
    ended_by_reader,
    piped_bytes,
    read_piped_line,
    read_text,
)
from webwx.cli.summary import summarize
from webwx.client.client import AsyncClient
from webwx.model.contacts import FILEHELPER
from webwx.model.events import (
    ContactChanged,
    ContactDeleted,
    ContinuityLost,
    IdentityAmbiguous,
    QuarantinedMessage,
    event_from_json,
)
from webwx.model.messages import (
    Event,
    Message,
    MessageRecalled,
    PhoneActivity,
    Receipt,
)
from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from webwx.model.address_book import Contacts

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
        'webwx send filehelper "the backup is done" --key "backup-$(date +%F)"',
        "pg_dump shop | webwx send --file - --name shop.sql",
    ),
)
@click.argument("words", nargs=-1, metavar="[TO] [TEXT]", shell_complete=complete_chats)
@click.option("--image", type=_PATH, metavar="PATH", help="Send this picture: JPEG, PNG, BMP, GIF.")
@click.option("--video", type=_PATH, metavar="PATH", help="Send this video: mp4.")
@click.option("--sticker", type=_PATH, metavar="PATH|MD5", help="Send this GIF as a sticker, or the one of this md5.")
@click.option("--file", type=_PATH, metavar="PATH", help="Send this file, of any kind.")
@click.option("--name", metavar="NAME", help="What the receiver sees as the file's name.  [default: that of PATH]")
@click.option(
    "--key", metavar="NAME", default="", help="Your name for this send; what was sent under it is not sent again."
)
async def send(
    session: Session,
    words: tuple[str, ...],
    image: str | None,
    video: str | None,
    sticker: str | None,
    file: str | None,
    name: str | None,
    key: str,
) -> None:
    """
    Send a text, a picture or any file, and print the receipt.

    TO is 'filehelper' (your own phone), a remark, a nickname, an id, or a number of 'webwx who', as who:12. TEXT is
    sent as it is, whatever it looks like. Without TO a picture or file goes to filehelper, and without any argument the
    text is read from stdin and goes there too. A PATH of '-' is what comes on stdin.

    With --key a send that was interrupted may be typed again: nothing goes out twice. When nobody can say whether it
    went out the first time, the exit code is 7, until it has been seen in the chat; see 'webwx outbox'.
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
    key = clean_text(key)
    async with session.logged_in() as client:
        before = await client.find_send(key=key) if key else None
        if attached:
            [(send_it, path)] = attached
            name = checked_text(name or "", "NAME")
            given_bytes = piped_bytes(session.output) if path == "-" else nullcontext(path)
            with given_bytes as source, shown_progress(name or Path(path).name) as progress:
                receipt = await send_it(client, whom(to), source, name=name, progress=progress, key=key)
        else:
            text = checked_text(text, "TEXT") if words else await read_text(session.output)
            if not text.strip():  # no phone sends such a message
                raise BadInput("There is no text to send: it is empty or blank.")
            receipt = await client.send_text(whom(to), text, key=key)
        if before is not None and receipt == before.receipt:
            session.output.line("This was sent before, and is not sent again.", receipt)
        else:
            report_sent(session, receipt, name_of(client.contacts, receipt.chat))


def report_sent(session: Session, receipt: Receipt, to: str) -> None:
    """Print a receipt."""
    session.output.line(f"Sent to {to}; 'webwx recall' takes it back for two minutes.", receipt)


# -- read and recall -------------------------------------------------------------------------------------------------


@command("read", examples=("webwx read 阿华",))
@click.argument("chat", shell_complete=complete_chats)
async def read(session: Session, chat: str) -> None:
    """
    Mark a chat as read, on the phone too.

    CHAT is a remark, a nickname, a chatroom's name, an id, or a number of 'webwx who', as who:12.
    """
    async with session.logged_in() as client:
        contact = await client.find_contact(whom(chat))
        await client.mark_read(contact)
    session.output.result(f"{contact.display_name} is marked as read.", read=True, chat=contact.id)


@command(
    "recall",
    examples=(
        "webwx recall",
        "webwx recall 12    # the number that 'webwx outbox' shows",
        'webwx send 阿华 "hello" --json | webwx recall',
    ),
)
@click.argument("which", required=False, metavar="[WHICH]")
async def recall(session: Session, which: str | None) -> None:
    """
    Take back a message sent less than two minutes ago.

    WHICH is a number that 'webwx outbox' shows, or the message's own id. Without it the receipt of 'webwx send --json'
    is read from stdin; without that as well it takes back the last message that was sent, by whichever process.
    """
    piped = await read_piped_line() if which is None else ""
    given = _read_receipt(piped) if piped else None
    async with session.logged_in() as client:
        receipt = given or (await _last_receipt(client) if which is None else await _receipt_of(client, which))
        await client.recall(receipt)
        chat = name_of(client.contacts, receipt.chat)
    session.output.result(
        f"Recalled; {chat} sees that something was taken back, not what.",
        recalled=True, message_id=receipt.message_id, chat=receipt.chat,
    )  # fmt: skip


def _read_receipt(line: str) -> Receipt:
    try:
        return Receipt.from_json(line)
    except ValueError:
        raise BadInput("That is no receipt; pipe in a line that 'webwx send --json' printed.") from None


async def _receipt_of(client: AsyncClient, which: str) -> Receipt:
    """Give the receipt of a send by the message's id or the send's number."""
    which = clean_text(which)
    number = which.removeprefix("#")
    found = await client.find_send(message_id=which)
    if found is None and number.isdecimal() and len(number) < _LONGEST_NUMBER:
        found = await client.find_send(number=int(number))
    if found is None:
        raise BadInput(f"The outbox has no send {which!r}; 'webwx outbox' shows what it has.")
    if found.state == "recalled":
        raise BadInput(f"Send {found.number} was taken back already.")
    if found.receipt is None:
        raise BadInput(f"Send {found.number} was not sent, as far as is known, so there is nothing to recall.")
    return found.receipt


async def _last_receipt(client: AsyncClient) -> Receipt:
    """Give the receipt of what was sent last; when that is taken back already, nothing older is meant."""
    for send in await client.list_sends("sent", "recalled", limit=1):
        if send.state == "sent" and send.receipt is not None:
            return send.receipt
    raise BadInput("Nothing was sent that could be recalled; pipe in a receipt that 'webwx send --json' printed.")


# -- forward ---------------------------------------------------------------------------------------------------------

_LONGEST_NUMBER = 19
"""Digits from which on no database has such a number."""


@command(
    "forward",
    examples=(
        "webwx forward 12 filehelper    # the number that 'webwx history' shows",
        "webwx forward --recalled 12 filehelper    # the number that 'webwx recalled' shows",
        "webwx listen --json --count 1 | webwx forward filehelper",
    ),
)
@click.argument("words", nargs=-1, metavar="[ID] TO", shell_complete=complete_each_chat)
@click.option("--recalled", is_flag=True, help="What was taken back: ID, or without it what was last.")
async def forward(session: Session, words: tuple[str, ...], recalled: bool) -> None:
    """
    Send a received message on, recalled or not.

    ID is a number that 'webwx history' shows, or a message's own id. Without it a line of 'webwx listen --json' is
    taken from stdin. A text, a place, a picture, a video, a sticker or a file can be sent on. A picture travels by its
    keys, so it goes on after it has been recalled as well. What has no keys is sent anew, from what was kept of it when
    it arrived ('webwx listen --keep'), or else by a download.
    """
    message: Event | None = None
    which = ""
    match words:
        case [to]:
            message = None if recalled else _read_event(await read_piped_line())
        case [which, to]:
            pass
        case _:
            raise click.UsageError("Give ID and TO, or TO alone and the message on stdin")
    async with session.logged_in() as client:
        if recalled:
            message = await _find_recalled(client, clean_text(which))
        message = message or await _find(client, clean_text(which))
        receipt = await client.forward(message, whom(to))
        report_sent(session, receipt, name_of(client.contacts, receipt.chat))


def _read_event(line: str) -> Event:
    if not line:
        raise BadInput("Nothing was piped in; give a line of 'webwx listen --json' on stdin.")
    try:
        return event_from_json(line)
    except ValueError:
        raise BadInput("That is no message; pipe in a line that 'webwx listen --json' printed.") from None


async def _find(client: AsyncClient, which: str) -> Event:
    """Find a message by its id or by its number; the platform's ids are longer than any number here, mostly."""
    found = None if which.startswith("#") else await client.find_message(which)
    number = which.removeprefix("#")
    if found is None and number.isdecimal() and len(number) < _LONGEST_NUMBER:
        found = await client.find_message(int(number))
    if found is None:
        raise BadInput(f"The journal has no message {which!r}; 'webwx history' shows what it has.")
    return found


_RECALLS_SEARCHED = 1_000
"""Of the newest recalls, how many are looked through."""


async def _find_recalled(client: AsyncClient, which: str) -> Event:
    """Find what was taken back, by the number or id of the message or of the notice; the last one for no name."""
    recalls = [one.notice for one in await client.list_recalled(limit=_RECALLS_SEARCHED if which else 1)]
    if not recalls:
        raise BadInput("Nothing was taken back, as far as the journal knows.")
    name = which.removeprefix("#")
    for notice in recalls:
        names = {notice.message_id, str(notice.number), str(notice.original.number) if notice.original else ""}
        if not which or name in names:
            if notice.original is None:
                raise BadInput("The message that was taken back never came here, so it cannot be sent on.")
            return notice.original
    raise BadInput(f"No message {which!r} was taken back; 'webwx recalled' lists those that were.")


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
    "--consumer",
    metavar="NAME",
    default=LISTEN,
    show_default=True,
    help="Whose place in the journal is read from and moved on; a new one begins now.",
)
@click.option(
    "--all",
    "include_all",
    is_flag=True,
    help="Print what the phone does and changes of contacts as well, and count it.",
)
@click.option("--keep", is_flag=True, help="Fetch pictures as they arrive, before somebody takes them back.")
async def listen(session: Session, count: int | None, consumer: str, include_all: bool, keep: bool) -> None:
    """
    Print messages and recalls as they arrive.

    What arrives is stored first. What was not printed when this ends is printed first the next time; a line that was
    being printed while the machine died comes again, with "redelivered":true. With --json each line is a whole event,
    its content as the platform delivered it, fit for 'webwx forward'.

    Programs that want everything each for themselves take turns, each with a --consumer of its own: two at the same
    time do not go, and the second one ends with 3.

    With --keep, or 'keep' in the configuration, which also says whose and what, pictures are fetched as they arrive and
    kept beside the journal. 'webwx forward' can then send them on whatever has become of them.
    """
    session.keeps_media = keep
    async with session.logged_in() as client:
        with ended_by_reader():
            async with client.events(clean_text(consumer), include_all=include_all) as events:
                session.announce("Waiting for messages; Ctrl-C ends this.")
                printed = count_from(1)
                # Asking for the next one says that this one is printed.
                async for event in events:
                    session.output.line(describe(event, client.contacts), event)
                    if next(printed) == count:
                        await events.ack()
                        await client.wait_for_kept()
                        break


def describe(event: Event, contacts: Contacts, clock: str = "%H:%M") -> str:
    """
    Say in a line for a person what happened.

    Args:
        event: What.
        contacts: Who people are.
        clock: How a time is written.
    """
    match event:
        case Message():
            return f"{clock_time(event.time, clock)}  {place_of(event, contacts)}: {summarize(event)}"
        case MessageRecalled():
            was = f" (it was: {summarize(event.original)})" if event.original else ""
            return f"{clock_time(event.time, clock)}  {name_of(contacts, event.chat)}: {event.text}{was}"
        case ContinuityLost():
            since, until = clock_time(event.since, clock), clock_time(event.until, clock)
            return f"Something may be missing between {since} and {until}: {_REASONS[event.reason]}."
        case IdentityAmbiguous():
            maybe = ", ".join(map(str, event.candidates))
            return (
                f"{event.contact.display_name} may be somebody known before ({maybe}); the number is {event.identity}. "
                "If it is one of them, 'webwx merge' says so."
            )
        case PhoneActivity():
            return _PHONE[event.action].format(chat=name_of(contacts, event.chat))
        case ContactChanged():
            return f"{event.contact.display_name} is new or has changed."
        case ContactDeleted():
            return f"{event.id} is gone from the contacts or chats."
        case QuarantinedMessage():
            return f"Something arrived that could not be read ({event.reason})."
        case _:
            return type(event).__name__


_REASONS = {
    "new_login": "another login came in between",
    "key_refused": "the server did not know any more how far we were",
    "answer_too_large": "what the server sent was too large to be read",
    "purged": "it was deleted before it was read",
}
"""What a person is told of the reasons of a gap."""

_PHONE = {
    "read": "The phone has read {chat}.",
    "opened": "The phone has opened {chat}.",
    "left": "The phone has left {chat}.",
    "recent": "The phone has told its recent chats.",
    "other": "The phone did something with {chat}.",
}
"""What the phone did, by `PhoneActivity.action`."""


def place_of(message: Message, contacts: Contacts) -> str:
    """Say in which chat and by whom a message was written."""
    chat = name_of(contacts, message.chat)
    if message.is_self:
        return f"you to {chat}"
    if message.sender in {None, message.chat}:
        return chat
    return f"{_member_name(contacts, message)} in {chat}"


def _member_name(contacts: Contacts, message: Message) -> str:
    sender = message.sender or ""
    room = contacts.get(message.chat)
    named = {member.id: member.display_name or member.nickname for member in room.members} if room else {}
    return named.get(message.sender or message.chat) or name_of(contacts, sender)


def name_of(contacts: Contacts, contact_id: str) -> str:
    """Give what somebody is called here; an id that nobody knows is all there is."""
    contact = contacts.get(contact_id)
    return contact.display_name if contact else contact_id


def clock_time(seconds: float, clock: str) -> str:
    """Write a time in the time zone of this machine."""
    return time.strftime(clock, time.localtime(seconds))
