"""
`webwx send`, `read`, `recall`, `forward` and `listen`.

One command's `--json` output is another one's stdin: `recall` reads a receipt of `send`, and `forward` a line of
`listen`. Sends are stored in the journal's outbox, from which `recall` takes the last one by default.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from pathlib import Path

import click

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.cli.logs import log_format_option
from webwx.cli.messages.consumers import LISTEN
from webwx.cli.messages.owner_sends import refuse_files, send_text
from webwx.cli.messages.shown_events import laid_out, name_of
from webwx.cli.names import complete_chats, complete_each_chat, whom
from webwx.cli.options import FiniteRange, FreeTextCommand, ends_options
from webwx.cli.progress import shown_progress
from webwx.cli.session import (
    Session,
    checked_text,
    command,
    ended_by_reader,
    piped_bytes,
    read_piped_json,
    read_piped_line,
    read_text,
)
from webwx.client.client import AsyncClient
from webwx.model.contacts import FILEHELPER
from webwx.model.event_filters import check_patterns, matches
from webwx.model.events import EVENT_TYPES, event_from_json
from webwx.model.messages import Event, Message, Receipt
from webwx.protocol.codec import clean_text

# -- send ------------------------------------------------------------------------------------------------------------

_PATH = click.Path(allow_dash=True)

_STDIN = "-"
"""Argument that stands for stdin."""


@command(
    "send",
    cls=FreeTextCommand,
    examples=(
        'webwx send filehelper "hello"',
        'webwx send 阿华 "在吗？" --json',
        "webwx send 阿华 --image photo.jpg",
        "webwx send --file report.pdf",
        "make 2>&1 | tail -1 | webwx send",
        "git log -1 | webwx send 阿华 -",
        'webwx send filehelper "the backup is done" --key "backup-$(date +%F)"',
        "pg_dump shop | webwx send --file - --name shop.sql",
    ),
)
@click.argument("words", nargs=-1, metavar="[TO] [TEXT]", shell_complete=complete_chats)
@click.option("--image", type=_PATH, metavar="PATH", help="Send a picture: JPEG, PNG, BMP or GIF.")
@click.option("--video", type=_PATH, metavar="PATH", help="Send an mp4 video.")
@click.option("--sticker", type=_PATH, metavar="PATH|MD5", help="Send a GIF as a sticker, or a sticker by its md5.")
@click.option("--file", type=_PATH, metavar="PATH", help="Send a file of any kind.")
@click.option("--name", metavar="NAME", help="File name that the receiver sees.  [default: name of PATH]")
@click.option("--key", metavar="NAME", default="", help="Idempotency key: a send with the same key is not repeated.")
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

    TO is 'filehelper' (your own phone), a remark, a nickname, an id, or an identity number such as who:12. TEXT is sent
    unchanged, even if it looks like an option; only '-' means that the text is read from stdin ('-- -' sends a hyphen).
    Without TO, a picture or file goes to filehelper. Without any argument, the text is read from stdin and sent to
    filehelper. PATH '-' means stdin.

    With --key, you can repeat an interrupted command safely: nothing is sent twice. If the outcome of the first attempt
    is unknown, the exit code is 7 until the message is seen in the chat; see 'webwx outbox'.
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
        case [path], [] if _is_file(path):
            raise click.UsageError(
                _("Pass TO and TEXT; to send the file {path!r}, pass --file before it").format(path=path)
            )
        case _:
            raise click.UsageError(
                _(
                    "Pass TO and TEXT (in quotes if it has spaces), or [TO] and --image, --video, --sticker "
                    "or --file, or no argument and the text on stdin"
                )
            )
    if name is not None and not attached:
        raise click.UsageError(_("--name needs --file, --image, --video or --sticker"))
    key = clean_text(key)
    is_piped = not words or (text == _STDIN and not ends_options(click.get_current_context()))
    async with session.logged_in() as client:
        before = await client.find_send(key=key) if key else None
        if attached:
            [(send_it, path)] = attached
            await refuse_files(session.settings, client)
            name = checked_text(name or "", "NAME")
            given_bytes = piped_bytes(session.output) if path == "-" else nullcontext(path)
            with given_bytes as source, shown_progress(name or Path(path).name) as progress:
                receipt = await send_it(client, whom(to), source, name=name, progress=progress, key=key)
        else:
            if words and is_piped:
                session.output.remark(_("The text is read from stdin; '-- -' sends a hyphen."))
            text = await read_text(session.output) if is_piped else checked_text(text, "TEXT")
            if not text.strip():  # no phone sends such a message
                raise BadInput(_("The text is empty; pass a text to send."))
            receipt = await send_text(session.settings, client, whom(to), text, key=key)
        if before is not None and receipt == before.receipt:
            session.output.line(_("Already sent with this key; not sent again."), receipt)
        else:
            report_sent(session, receipt, name_of(client.contacts, receipt.chat))
            if not (attached or is_piped) and _is_file(text):
                session.output.remark(
                    _("The name {text!r} was sent as text; --file sends the file, --image a picture.").format(text=text)
                )


def _is_file(text: str) -> bool:
    """Return whether a text is the path of a file on this machine."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a text that is too long for a path, or has a null character
        return False


def report_sent(session: Session, receipt: Receipt, to: str) -> None:
    """Print a receipt."""
    session.output.line(_("Sent to {to}; 'webwx recall' can recall it within two minutes.").format(to=to), receipt)


# -- read and recall -------------------------------------------------------------------------------------------------


@command("read", examples=("webwx read 阿华",))
@click.argument("chat", shell_complete=complete_chats)
async def read(session: Session, chat: str) -> None:
    """
    Mark a chat as read, on the phone too.

    CHAT is a remark, a nickname, a chatroom's name, an id, or an identity number such as who:12.
    """
    async with session.logged_in() as client:
        contact = await client.find_contact(whom(chat))
        await client.mark_read(contact)
    session.output.result(
        _("{display_name} is marked as read.").format(display_name=contact.display_name), read=True, chat=contact.id
    )


@command(
    "recall",
    examples=(
        "webwx recall",
        "webwx recall 12    # the number that 'webwx outbox' shows",
        "webwx recall --event 34    # the number that 'webwx history' shows, also for a message sent from the phone",
        'webwx send 阿华 "hello" --json | webwx recall',
        "webwx recall - < receipt.json",
    ),
)
@click.argument("which", required=False, metavar="[WHICH]")
@click.option("--event", metavar="NUMBER", help="Recall a message by its number or id in the history.")
async def recall(session: Session, which: str | None, event: str | None) -> None:
    """
    Recall a message sent less than two minutes ago.

    WHICH is a number shown by 'webwx outbox', the message id, or '-' to read a receipt of 'webwx send --json' or a line
    of 'webwx listen --json' from stdin. Without WHICH, such a line that is piped in is recalled too, and without a pipe
    the last message sent by any process of this account. Stdin that is not JSON is not used then; an empty pipe or file
    is refused, because the command that had to write a receipt has failed. A message sent from the phone is recalled by
    its id, by --event, or from stdin.
    """
    if which is not None and event is not None:
        raise click.UsageError(_("Pass WHICH or --event, not both"))
    line = ""
    if which == _STDIN:
        line = await read_piped_line()
    elif which is event is None:
        line = await read_piped_json(
            empty=_(
                "stdin is empty, so nothing was recalled: the command before the pipe printed no receipt. "
                "'webwx recall < /dev/null' recalls the last message."
            ),
            silent=lambda: session.output.report(
                _("Waiting for a receipt from the pipe on stdin; 'webwx recall < /dev/null' recalls the last message.")
            ),
        )
    given = _read_sent(line) if line or which == _STDIN else None
    async with session.logged_in() as client:
        sent = given or await _find_sent(client, which, event)
        await client.recall(sent)
        chat = name_of(client.contacts, sent.chat)
    session.output.result(
        _("Recalled; {chat} sees that a message was recalled, but not its content.").format(chat=chat),
        recalled=True, message_id=sent.message_id, chat=sent.chat,
    )  # fmt: skip


def _read_sent(line: str) -> Receipt | Message:
    try:
        return Receipt.from_json(line)
    except ValueError:
        with suppress(ValueError):
            event = event_from_json(line)
            if isinstance(event, Message):
                return event
        raise BadInput(
            _(
                "stdin is neither a receipt nor a message; pipe in a line printed by 'webwx send --json' "
                "or 'webwx listen --json'."
            )
        ) from None


async def _find_sent(client: AsyncClient, which: str | None, event: str | None) -> Receipt | Message:
    if event is not None:
        message = await _find(client, clean_text(event))
        if not isinstance(message, Message):
            raise BadInput(_("Entry {event!r} of the history is not a message.").format(event=event))
        return message
    return await _last_receipt(client) if which is None else await _sent_as(client, clean_text(which))


async def _sent_as(client: AsyncClient, which: str) -> Receipt | Message:
    """Return the receipt of a send, found by message id or outbox number; or a message of the phone, by its id."""
    number = which.removeprefix("#")
    found = await client.find_send(message_id=which)
    if found is None and number.isdecimal() and len(number) < _LONGEST_NUMBER:
        found = await client.find_send(number=int(number))
    if found is None and isinstance(message := await client.find_message(which), Message):
        return message
    if found is None:
        raise BadInput(
            _(
                "The outbox has no send {which!r}; 'webwx outbox' lists its sends. A message sent from "
                "the phone has a number in 'webwx history': pass it as --event."
            ).format(which=which)
        )
    if found.receipt is None:
        raise BadInput(_("Send {number} may not have been sent, so it cannot be recalled.").format(number=found.number))
    return found.receipt


async def _last_receipt(client: AsyncClient) -> Receipt:
    """Return the receipt of the last send; if that was recalled already, raise instead of taking an older one."""
    for send in await client.list_sends("sent", "recalled", limit=1):
        if send.state == "sent" and send.receipt is not None:
            return send.receipt
    raise BadInput(_("There is no sent message to recall; pipe in a receipt printed by 'webwx send --json'."))


# -- forward ---------------------------------------------------------------------------------------------------------

_LONGEST_NUMBER = 19
"""Number of digits from which a text cannot be a database row number."""


@command(
    "forward",
    examples=(
        "webwx forward 12 filehelper    # the number that 'webwx history' shows",
        "webwx forward --recalled 12 filehelper    # the number that 'webwx recalled' shows",
        "webwx listen --json --count 1 | webwx forward filehelper",
    ),
)
@click.argument("words", nargs=-1, metavar="[ID] TO", shell_complete=complete_each_chat)
@click.option("--recalled", is_flag=True, help="Forward a recalled message: ID, or the last one.")
async def forward(session: Session, words: tuple[str, ...], recalled: bool) -> None:
    """
    Forward a received message, even if it was recalled.

    ID is a number shown by 'webwx history', or a message id. Without ID, reads a line of 'webwx listen --json' from
    stdin. Texts, locations, pictures, videos, stickers and files can be forwarded. A picture is forwarded by its media
    keys, which works after a recall too. Media without keys are sent again, from the media archive ('webwx listen
    --keep') or after a download.
    """
    message: Event | None = None
    which = ""
    match words:
        case [to]:
            message = None if recalled else _read_event(await read_piped_line())
        case [which, to]:
            pass
        case _:
            raise click.UsageError(_("Pass ID and TO, or only TO and the message on stdin"))
    async with session.logged_in() as client:
        if recalled:
            message = await _find_recalled(client, clean_text(which))
        message = message or await _find(client, clean_text(which))
        receipt = await client.forward(message, whom(to))
        report_sent(session, receipt, name_of(client.contacts, receipt.chat))


def _read_event(line: str) -> Event:
    if not line:
        raise BadInput(_("stdin is empty; pipe in a line printed by 'webwx listen --json'."))
    try:
        return event_from_json(line)
    except ValueError:
        raise BadInput(_("stdin is not a message; pipe in a line printed by 'webwx listen --json'.")) from None


async def _find(client: AsyncClient, which: str) -> Event:
    """Find a message by its id or its number; platform ids are usually longer than any number."""
    found = None if which.startswith("#") else await client.find_message(which)
    number = which.removeprefix("#")
    if found is None and number.isdecimal() and len(number) < _LONGEST_NUMBER:
        found = await client.find_message(int(number))
    if found is None:
        raise BadInput(
            _("The journal has no message {which!r}; 'webwx history' lists its messages.").format(which=which)
        )
    return found


_RECALLS_SEARCHED = 1_000
"""Number of recent recalls to search."""


async def _find_recalled(client: AsyncClient, which: str) -> Event:
    """Find a recalled message by the number or id of the message or its recall; default: the last recalled message."""
    recalls = [one.notice for one in await client.list_recalled(limit=_RECALLS_SEARCHED if which else 1)]
    if not recalls:
        raise BadInput(_("The journal has no recalled message."))
    name = which.removeprefix("#")
    for notice in recalls:
        names = {notice.message_id, str(notice.number), str(notice.original.number) if notice.original else ""}
        if not which or name in names:
            if notice.original is None:
                raise BadInput(_("The recalled message was never received here, so it cannot be forwarded."))
            return notice.original
    raise BadInput(
        _("No message {which!r} was recalled; 'webwx recalled' lists recalled messages.").format(which=which)
    )


# -- listen ----------------------------------------------------------------------------------------------------------


@command(
    "listen",
    endless=True,
    examples=(
        "webwx listen",
        "webwx listen --json --count 1 --timeout 60",
        """webwx listen --json | jq -r 'select(.type == "message.text") | .text'""",
    ),
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Exit after N events.  [default: never]")
@click.option(
    "--timeout",
    "seconds",
    type=FiniteRange(min=0),
    metavar="SECONDS",
    help="Exit after SECONDS; with 1 if --count asks for more events than arrived.  [default: never]",
)
@click.option(
    "--consumer",
    metavar="NAME",
    default=LISTEN,
    show_default=True,
    help="Name of the consumer whose cursor is used; a new consumer starts now.",
)
@click.option(
    "--all",
    "include_all",
    is_flag=True,
    help="Also print and count phone activity and contact changes.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Print and count only events of this type, such as 'message.text' or 'friend.*'; may be repeated.",
)
@click.option("--keep", is_flag=True, help="Archive pictures as they arrive, so that they survive a recall.")
@log_format_option
async def listen(
    session: Session, count: int | None, seconds: float | None, consumer: str, include_all: bool,
    types: tuple[str, ...], keep: bool,
) -> None:  # fmt: skip
    """
    Print messages and recalls as they arrive.

    Events are stored before they are printed. The next run first prints events that this one did not print. An event
    that was being printed during a crash is printed again, with "redelivered":true. With --json, each line is a
    complete event as the platform delivered it, which 'webwx forward' accepts.

    Only one process may listen at a time; a second one exits with 3. Programs that each need every event can run one
    after another, each with its own --consumer.

    With --keep, pictures are downloaded as they arrive and archived beside the journal, so that 'webwx forward' can
    forward them even after a recall. 'keep' in the configuration does the same, and selects chats and kinds.
    """
    check_patterns(types, EVENT_TYPES)
    session.keeps_media = keep
    printed = 0
    try:
        async with asyncio.timeout(seconds) as time_limit, session.logged_in() as client:
            with ended_by_reader():
                async with client.events(clean_text(consumer), include_all=include_all or bool(types)) as events:
                    session.announce(_("Waiting for messages; press Ctrl-C to stop."))
                    # Asking for the next one says that this one is printed.
                    async for event in events:
                        if not matches(event.type, types):
                            continue
                        lines = laid_out(event, client.contacts, session.output.screen)
                        session.output.draw_line("\n".join(lines), event)
                        printed += 1
                        if printed == count:
                            await events.ack()
                            await client.wait_for_kept()
                            break
    except TimeoutError:
        if not time_limit.expired():
            raise
        if count is not None and printed < count:
            message = _("{printed} of {count} events arrived within {seconds:g} s.")
            raise CommandFailed(message.format(printed=printed, count=count, seconds=seconds)) from None
