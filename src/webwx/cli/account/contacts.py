"""`webwx contacts`, `chats`, `articles`, `remark`, `pin` and `friend`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from webwx.cli.columns import MOST_OF_NAME, Column, print_table
from webwx.cli.exits import BadInput
from webwx.cli.help_pages import CliGroup
from webwx.cli.language import N_, _, language
from webwx.cli.messages.outbox import describe_send
from webwx.cli.names import complete_chats, whom
from webwx.cli.options import FreeTextCommand, example_text, with_common_options
from webwx.cli.session import Session, command, read_piped_line
from webwx.cli.times import shown_time
from webwx.model.events import event_from_json
from webwx.model.messages import FriendRequest, Message, MessageRecalled
from webwx.model.serialization import to_builtins
from webwx.model.summary import summarize
from webwx.protocol.codec import clean_text
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.cli.output import Screen
    from webwx.client.client import AsyncClient
    from webwx.model.contacts import Contact

_MOST_SHOWN = 99
"""Largest number of unread messages that a terminal shows."""

_ids = click.option("--ids", "has_ids", is_flag=True, help="Also print the id of each, which the next login changes.")


@command(
    "contacts",
    examples=(
        "webwx contacts",
        "webwx contacts --search 华",
        "webwx contacts --json",
    ),
)
@click.option("--search", metavar="TEXT", help="Only contacts whose remark, nickname or WeChat id contains TEXT.")
@_ids
async def contacts(session: Session, search: str | None, has_ids: bool) -> None:
    """
    List friends, chatrooms and official accounts.

    Fetches the list from the server. Other commands accept each name shown, the identity number (as who:12) and the id
    that --ids shows. Ids change at every login; identity numbers do not.
    """
    async with session.logged_in() as client:
        listed = await client.list_contacts()
        listed = listed if search is None else client.contacts.search(search)
        numbers = await _numbers(client)
        print_table(
            session.output,
            [Column(_("NUMBER")), Column(_("NAME"), is_cut=True), Column(_("KIND")), *_id_columns(has_ids)],
            [[_number(numbers.get(each.id)), _name(each), _kind(each), *[each.id] * has_ids] for each in listed],
            _values(listed, numbers),
        )


@command(
    "chats",
    examples=("webwx chats", "webwx chats --json | jq -r '.id'"),
)
@_ids
async def chats(session: Session, has_ids: bool) -> None:
    """
    List recent chats, newest first.

    Fetches the list from the server. The last message of each chat, its time and the number of unread messages are from
    the journal, so they are empty if 'webwx listen' or another program has not received them. A message is unread until
    the chat is read on the phone, you write in the chat, or 'webwx read' marks it.
    """
    async with session.logged_in() as client:
        listed = await client.list_chats()
        numbers = await _numbers(client)
        last = [await _last(client, each) for each in listed]
        unread = [await client.count_unread(each) for each in listed]
        screen = session.output.screen
        print_table(
            session.output,
            [
                Column(_("NUMBER")), Column(_("NAME"), most=MOST_OF_NAME), Column(_("KIND")), *_id_columns(has_ids),
                Column(_("UNREAD"), is_right=True), Column(_("TIME")),
                Column(_("LAST MESSAGE"), is_cut=True),
            ],
            [
                [
                    _number(numbers.get(each.id)), _name(each), _kind(each), *[each.id] * has_ids,
                    _count(count, screen), shown_time(found.time, screen), found.text,
                ]
                for each, found, count in zip(listed, last, unread, strict=True)
            ],
            ({**value, "unread": count} for value, count in zip(_values(listed, numbers), unread, strict=True)),
        )  # fmt: skip


@command(
    "articles",
    examples=("webwx articles", "webwx articles --json | jq -r '.articles[].url'"),
)
async def articles(session: Session) -> None:
    """List the latest articles of official accounts that you follow."""
    async with session.logged_in() as client:
        for published in await client.list_articles():
            lines = [f"  {each.title} {each.url}".rstrip() for each in published.articles]
            session.output.line([published.name, *lines], published)


@command(
    "remark",
    cls=FreeTextCommand,
    examples=('webwx remark 李雷 "Boss"', 'webwx remark Boss ""    # remove the remark'),
)
@click.argument("who", shell_complete=complete_chats)
@click.argument("text")
async def remark(session: Session, who: str, text: str) -> None:
    """Set your own name for WHO; an empty TEXT removes it."""
    async with session.logged_in() as client:
        changed = await client.set_remark(whom(who), clean_text(text))
        session.output.line(_("Now: {chat}").format(chat=describe(changed)), changed)


@command(
    "pin",
    examples=("webwx pin 阿华", "webwx pin 阿华 --off"),
)
@click.argument("who", shell_complete=complete_chats)
@click.option("--off", is_flag=True, help="Unpin it.")
async def pin(session: Session, who: str, off: bool) -> None:
    """Pin the chat with WHO to the top of the list, on all devices."""
    async with session.logged_in() as client:
        changed = await client.set_pinned(whom(who), not off)
        message = _("No longer pinned: {chat}") if off else _("Pinned: {chat}")
        session.output.line(message.format(chat=describe(changed)), changed)


@with_common_options
@click.group(
    "friend",
    cls=CliGroup,
    epilog=example_text(
        'webwx friend add @55aa66bb77cc88dd "I am the neighbour"',
        "webwx listen --json | grep -m1 friend.requested | webwx friend accept",
    ),
)
def friend() -> None:
    """Send and accept friend requests."""


@command(
    "add",
    group=friend,
    cls=FreeTextCommand,
    examples=('webwx friend add @55aa66bb77cc88dd "I am the neighbour"',),
)
@click.argument("who")
@click.argument("greeting", default="")
async def add(session: Session, who: str, greeting: str) -> None:
    """Send a friend request to WHO, an id from 'webwx chatroom members' or a contact card."""
    async with session.logged_in() as client:
        await client.add_friend(whom(who), clean_text(greeting))
        session.output.result(_("Asked; they are a friend once they accept."), asked=True)


@command(
    "accept",
    group=friend,
    examples=("webwx listen --json | grep -m1 friend.requested | webwx friend accept",),
)
async def accept(session: Session) -> None:
    """Accept a friend request, read as a line of 'webwx listen --json' from stdin."""
    try:
        request = event_from_json(await read_piped_line())
    except ValueError:
        raise BadInput(_("stdin is empty; pipe in a line printed by 'webwx listen --json'.")) from None
    if not isinstance(request, FriendRequest):
        raise BadInput(_("stdin is not a friend request; pipe in a friend request printed by 'webwx listen --json'."))
    async with session.logged_in() as client:
        await client.accept_friend(request)
        session.output.result(_("{nickname} is a friend now.").format(nickname=request.person.nickname), accepted=True)


async def _numbers(client: AsyncClient) -> dict[str, int]:
    """Return the identity number of each contact id of this login."""
    return {each.contact_id: each.number for each in await client.list_identities()}


def _values(contacts: list[Contact], numbers: dict[str, int]) -> Iterator[dict[str, object]]:
    return ({**to_builtins(each), "number": numbers.get(each.id)} for each in contacts)


def _id_columns(has_ids: bool) -> list[Column]:
    return [Column(_("ID"))] * has_ids


def _count(unread: int | None, screen: Screen) -> str:
    """Return a number of unread messages; empty for none, and for one that is not known."""
    if screen.width is not None and (unread or 0) > _MOST_SHOWN:
        return f"{_MOST_SHOWN}+"
    return str(unread or "")


class _Last(NamedTuple):
    """The newest message or send of a chat, in a few words."""

    time: float = 0
    text: str = ""


async def _last(client: AsyncClient, chat: Contact) -> _Last:
    for found in await client.history(chat, limit=1):
        match found:
            case Outgoing():
                return _Last(found.created_at, describe_send(found))
            case Message():
                return _Last(found.time, summarize(found, language()))
            case MessageRecalled():
                return _Last(found.time, found.text)
    return _Last()


def describe(contact: Contact) -> str:
    """Describe a contact in one line, names first."""
    return f"{_name(contact)} - {_kind(contact)} - {contact.id}"


def _name(contact: Contact) -> str:
    return f"{contact.display_name} ({contact.nickname})" if contact.remark else contact.display_name


def _kind(contact: Contact) -> str:
    members = _("{count} members").format(count=len(contact.members)) if contact.members else ""
    flags = {
        _("pinned"): contact.is_pinned, _("starred"): contact.is_starred, _("muted"): contact.is_muted,
        _("blocked"): contact.is_blocked,
    }  # fmt: skip
    kind = _(_KINDS[contact.kind])
    return ", ".join(filter(None, (kind, members, *(flag for flag, is_set in flags.items() if is_set))))


_KINDS = {
    "self": N_("self"),
    "friend": N_("friend"),
    "chatroom": N_("chatroom"),
    "official": N_("official"),
    "builtin": N_("builtin"),
    "stranger": N_("stranger"),
}
"""Text for each kind of contact."""


def _number(number: int | None) -> str:
    return f"who:{number}" if number else ""
