"""`webwx history` and `search`: messages from the journal; they contact no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.language import _, language
from webwx.cli.messages.outbox import describe_send
from webwx.cli.messages.shown_events import cut_name, describe, name_of, place_of
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import FreeTextCommand, limit_option
from webwx.cli.output import printable
from webwx.cli.session import Session, command
from webwx.cli.times import EXAMPLES, Moment, clock_time
from webwx.cli.wrapping import hanging
from webwx.model.messages import Message, MessageRecalled
from webwx.model.summary import summarize
from webwx.protocol.codec import clean_text
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.cli.output import Screen
    from webwx.client.client import AsyncClient
    from webwx.model.address_book import Contacts
    from webwx.model.messages import Event

DATED = "%Y-%m-%d %H:%M"
"""Time format of a history line."""

_full = click.option("--full", "is_full", is_flag=True, help="Print long texts in full.")

LONGEST = 600
"""Characters of a text that are printed without `--full`."""

TALLEST = 12
"""Lines of a text that are printed without `--full`."""

FURTHER = f"{'':>6}  | "
"""Before the further lines of a message, so that none can imitate another message."""


@command(
    "history",
    examples=(
        "webwx history 阿华",
        "webwx history --since 2d --limit 200",
        "webwx history 阿华 --before 1200    # the messages before these",
    ),
)
@click.argument("chat", required=False, shell_complete=complete_chats)
@limit_option
@click.option("--before", type=click.IntRange(min=1), metavar="NUMBER", help="Only messages before this number.")
@click.option("--since", type=Moment(), help=f"Only messages since TIME: {EXAMPLES}.")
@click.option("--until", type=Moment(is_end=True), help="Only messages until TIME.")
@_full
async def history(
    session: Session,
    chat: str | None,
    limit: int,
    before: int | None,
    since: float | None,
    until: float | None,
    is_full: bool,
) -> None:
    """
    Print past messages, oldest first.

    Prints all chats, or only CHAT: a remark, a nickname, a chatroom's name, an id, or an identity number such as
    who:12. Each message starts with its number, which 'webwx forward' accepts. Further lines of a text start with a
    bar, and a long text is cut. Includes messages sent from here. Works offline, after a logout, and while 'webwx
    listen' is running.
    """
    async with session.reading() as client:
        items = await client.history(
            whom(chat) if chat else None, limit=limit, before=before, since=since or 0, until=until or 0
        )
        await _print(session, client, items, is_full=is_full)
    if not items:
        session.output.remark(_("The journal has no message; 'webwx listen' receives messages."))


@command(
    "search",
    cls=FreeTextCommand,
    examples=("webwx search 备份", "webwx search backup done --chat 阿华"),
)
@click.argument("words", nargs=-1, required=True)
@click.option("--chat", metavar="CHAT", shell_complete=complete_chats, help="Only messages of this chat.")
@limit_option
@_full
async def search(session: Session, words: tuple[str, ...], chat: str | None, limit: int, is_full: bool) -> None:
    """
    Find messages that contain all WORDS.

    Chinese text is found anywhere in a message; words of other scripts are found by their beginning: 'back' finds
    'backup'. Works offline, after a logout, and while 'webwx listen' is running.
    """
    async with session.reading() as client:
        wanted = clean_text(" ".join(words))
        found = await client.search(wanted, chat=whom(chat) if chat else None, limit=limit)
        await _print(session, client, found, is_full=is_full)
    if not found:
        session.output.remark(_("No message found."))


async def _print(session: Session, client: AsyncClient, items: list[Event | Outgoing], *, is_full: bool) -> None:
    people = await client.find_people({each for thing in items for each in people_in(thing)})
    screen = session.output.screen
    for thing in items:
        session.output.line(lines_of(thing, people, screen, is_full=is_full), thing)


def lines_of(thing: Event | Outgoing, people: Contacts, screen: Screen, *, is_full: bool) -> list[str]:
    """
    Return the lines of a message, of a send, or of another event.

    On a terminal they are wrapped, as those of `listen` are; the further lines begin with a bar.
    """
    match thing:
        case Outgoing():
            when = clock_time(thing.created_at, DATED)
            chat = cut_name(name_of(people, thing.chat), screen)
            head = _("{number:>6}  {when}  you to {chat}: ").format(number="", when=when, chat=chat)
            text = _shortened(describe_send(thing), is_full=is_full)
        case Message():
            when = clock_time(thing.time, DATED)
            head = f"{thing.number:>6}  {when}  {cut_name(place_of(thing, people), screen)}: "
            text = _shortened(summarize(thing, language()), is_full=is_full)
        case _:
            head, text = f"{thing.number:>6}  ", printable(describe(thing, people, DATED))
    return hanging(head, text, screen.width, further=FURTHER, breaks_words=True)


def _shortened(text: str, *, is_full: bool) -> str:
    """Return a text, or without `--full` its beginning and how much is left."""
    text = text.replace("\r\n", "\n")
    shown = text if is_full else "\n".join(text[:LONGEST].split("\n")[:TALLEST])
    if left := len(text) - len(shown):
        shown += "\n" + _("… {left:,} more characters; --full prints them").format(left=left)
    return shown


def people_in(thing: Event | Outgoing) -> Iterator[str]:
    """Return the ids of the contacts that a history line names."""
    match thing:
        case Message():
            yield from _known(thing.chat, thing.sender)
        case MessageRecalled(original=Message() as original):
            yield from _known(thing.chat, original.sender)
        case _:
            yield from _known(getattr(thing, "chat", None))


def _known(*ids: str | None) -> Iterable[str]:
    return (each for each in ids if each)
