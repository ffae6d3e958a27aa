"""`webwx history` and `search`: what was said and sent, from the journal alone; no server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.cli.messages import clock_time, describe, name_of
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import FreeTextCommand
from webwx.cli.outbox import describe_send, send_to_json
from webwx.cli.session import Session, command
from webwx.cli.times import EXAMPLES, Moment
from webwx.model.events import event_to_json
from webwx.model.messages import Message, MessageRecalled, PhoneActivity
from webwx.protocol.codec import clean_text
from webwx.store.journal import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from webwx.client.aio import AsyncClient
    from webwx.model.contacts import Contacts
    from webwx.model.messages import Event

DATED = "%Y-%m-%d %H:%M"
"""How a line of the past writes its time."""

_limit = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="The newest N at most."
)


@command(
    "history",
    examples=(
        "webwx history 阿华",
        "webwx history --since 2d --limit 200",
        "webwx history 阿华 --before 1200    # to go on from there",
    ),
)
@click.argument("chat", required=False, shell_complete=complete_chats)
@_limit
@click.option("--before", type=click.IntRange(min=1), metavar="NUMBER", help="Only what is older than this number.")
@click.option("--since", type=Moment(), help=f"Not before: {EXAMPLES}.")
@click.option("--until", type=Moment(is_end=True), help="Not after.")
async def history(
    session: Session, chat: str | None, limit: int, before: int | None, since: float | None, until: float | None
) -> None:
    """
    Print what was said, the oldest first.

    Of all chats, or of CHAT: a remark, a nickname, a chatroom's name, an id, or a number of 'webwx who', as who:12.
    Each line begins with a number, for 'webwx forward'. What was sent from here stands between. It works without the
    network, beside 'webwx listen', and when nobody is logged in any more.
    """
    async with session.reading() as client:
        said = await client.history(
            whom(chat) if chat else None, limit=limit, before=before, since=since or 0, until=until or 0
        )
        await _print(session, client, said)
    if not said:
        session.output.remark("Nothing was said, as far as the journal knows; 'webwx listen' fills it.")


@command(
    "search",
    cls=FreeTextCommand,
    examples=("webwx search 备份", "webwx search backup done --chat 阿华"),
)
@click.argument("words", nargs=-1, required=True)
@click.option("--chat", metavar="CHAT", shell_complete=complete_chats, help="In this chat only.")
@_limit
async def search(session: Session, words: tuple[str, ...], chat: str | None, limit: int) -> None:
    """
    Find messages that hold all of these words.

    A word of Chinese is found anywhere, one of another script by its beginning: 'back' finds 'backup'. It works without
    the network, beside 'webwx listen', and when nobody is logged in any more.
    """
    async with session.reading() as client:
        wanted = clean_text(" ".join(words))
        found = await client.search(wanted, chat=whom(chat) if chat else None, limit=limit)
        await _print(session, client, found)
    if not found:
        session.output.remark("Nothing was found.")


async def _print(session: Session, client: AsyncClient, said: list[Event | Outgoing]) -> None:
    people = await client.find_people({each for thing in said for each in people_in(thing)})
    for thing in said:
        session.output.line(_line(thing, people), said_to_json(thing))


def said_to_json(thing: Event | Outgoing) -> str:
    """Write something of the past as one line of JSON: an event, or a send as `webwx outbox` has it."""
    return send_to_json(thing) if isinstance(thing, Outgoing) else event_to_json(thing)


def _line(thing: Event | Outgoing, people: Contacts) -> str:
    if isinstance(thing, Outgoing):
        when = clock_time(thing.created_at, DATED)
        return f"{'':>6}  {when}  you to {name_of(people, thing.chat)}: {describe_send(thing)}"
    return f"{thing.number:>6}  {describe(thing, people, DATED)}"


def people_in(thing: Event | Outgoing) -> Iterator[str]:
    """Give the ids of whom a line about something of the past names."""
    match thing:
        case Message():
            yield from _known(thing.chat, thing.sender)
        case MessageRecalled(original=Message() as original):
            yield from _known(thing.chat, original.sender)
        case MessageRecalled() | PhoneActivity() | Outgoing():
            yield from _known(thing.chat)


def _known(*ids: str | None) -> Iterable[str]:
    return (each for each in ids if each)
