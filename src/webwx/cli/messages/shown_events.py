"""How commands show events and the people in them, in the lines of a terminal or of a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import click

from webwx.cli.columns import padded, shortened
from webwx.cli.language import N_, _, language
from webwx.cli.output import printable
from webwx.cli.times import clock_time
from webwx.cli.wrapping import hanging
from webwx.model.events import (
    ContactChanged,
    ContactDeleted,
    ContinuityLost,
    IdentityAmbiguous,
    QuarantinedMessage,
)
from webwx.model.messages import Message, MessageRecalled, PhoneActivity
from webwx.model.summary import summarize

if TYPE_CHECKING:
    from webwx.cli.output import Screen
    from webwx.model.address_book import Contacts
    from webwx.model.messages import Event

CLOCK = "%H:%M"
"""Format of times of messages that arrive now."""

_NAME_CELLS = 12
"""Cells for the name before a message; a longer name moves only its own message."""

_OTHER = " " * len("00:00  ")
"""Before the further lines of an event that is no message."""

_NAME_COLORS = ("green", "yellow", "blue", "magenta", "cyan", "bright_blue", "bright_magenta", "bright_cyan")


def laid_out(event: Event, contacts: Contacts, screen: Screen) -> list[str]:
    """
    Return an event in lines that are safe to be printed.

    On a terminal a message or a recall is wrapped behind the name of its chat, so that no line of a text can imitate
    another message, and each name has a colour of its own. A word or a name that is too long is broken or cut, because
    the terminal would continue it at the left edge. In a pipe an event is one line.
    """
    if screen.width is None or isinstance(event, ContinuityLost):
        return [printable(describe(event, contacts))]
    if not isinstance(event, Message | MessageRecalled):
        return hanging("", describe(event, contacts), screen.width, further=_OTHER, breaks_words=True)
    name = cut_name(place_of(event, contacts), screen)
    time = f"{clock_time(event.time, CLOCK)}  "
    text = "\n".join(_words(event).splitlines())
    first, *others = hanging(f"{time}{padded(name, _NAME_CELLS)}  ", text, screen.width, breaks_words=True)
    if screen.has_colors:
        color = "bright_black" if event.is_self else _NAME_COLORS[crc32(name.encode()) % len(_NAME_COLORS)]
        first = f"{time}{click.style(name, fg=color)}{first.removeprefix(time + name)}"
    return [first, *others]


def cut_name(name: str, screen: Screen) -> str:
    """Return a name that stands before a message; on a terminal a long one is cut, so that the message has room."""
    if screen.width is None:
        return name
    return shortened(printable(name), max(_NAME_CELLS, screen.width // 2 - _NAME_CELLS))


def describe(event: Event, contacts: Contacts, clock: str = CLOCK) -> str:
    """
    Describe an event in one line.

    Args:
        event: The event.
        contacts: Contacts for the names.
        clock: Format of times.
    """
    match event:
        case Message() | MessageRecalled():
            return f"{clock_time(event.time, clock)}  {place_of(event, contacts)}: {_words(event)}"
        case ContinuityLost():
            since, until = clock_time(event.since, clock), clock_time(event.until, clock)
            return _("Messages may be missing between {since} and {until}: {reason}.").format(
                since=since, until=until, reason=_(_REASONS[event.reason])
            )
        case IdentityAmbiguous():
            maybe = ", ".join(map(str, event.candidates))
            return _(
                "{display_name} may be a known contact ({maybe}); the number is {identity}. If it is one "
                "of them, run 'webwx identity merge'."
            ).format(display_name=event.contact.display_name, maybe=maybe, identity=event.identity)
        case PhoneActivity():
            return _(_PHONE[event.action]).format(chat=name_of(contacts, event.chat))
        case ContactChanged():
            return _("{display_name} is new or has changed.").format(display_name=event.contact.display_name)
        case ContactDeleted():
            return _("{id} was removed from the contacts or chats.").format(id=event.id)
        case QuarantinedMessage():
            return _("A message could not be read ({reason}).").format(reason=event.reason)
        case _:
            return type(event).__name__


def _words(event: Message | MessageRecalled) -> str:
    """Return the text of a message, or the notice of a recall with the message that was recalled."""
    if isinstance(event, Message):
        return summarize(event, language())
    if event.original is None:
        return event.text
    return event.text + _(" (it was: {summary})").format(summary=summarize(event.original, language()))


_REASONS = {
    "new_login": N_("there was another login in between"),
    "key_refused": N_("the server no longer knew the position of this login"),
    "answer_too_large": N_("the answer of the server was too large"),
    "messages_missing": N_("the answer of the server held fewer messages than it announced"),
    "purged": N_("messages were deleted before they were read"),
}
"""Text for each reason of a gap."""

_PHONE = {
    "read": N_("The phone has read {chat}."),
    "opened": N_("The phone has opened {chat}."),
    "left": N_("The phone has left {chat}."),
    "recent": N_("The phone sent its recent chats."),
    "other": N_("The phone used {chat}."),
}
"""Text for each `PhoneActivity.action`."""


def place_of(message: Message | MessageRecalled, contacts: Contacts) -> str:
    """Return the chat and the author of a message; the chat of a recall, whose notice names the author."""
    chat = name_of(contacts, message.chat)
    if isinstance(message, MessageRecalled):
        return chat
    if message.is_self:
        return _("you to {chat}").format(chat=chat)
    if message.sender in {None, message.chat}:
        return chat
    return _("{member} in {chat}").format(member=_member_name(contacts, message), chat=chat)


def _member_name(contacts: Contacts, message: Message) -> str:
    sender = message.sender or ""
    room = contacts.get(message.chat)
    named = {member.id: member.display_name or member.nickname for member in room.members} if room else {}
    return named.get(message.sender or message.chat) or name_of(contacts, sender)


def name_of(contacts: Contacts, contact_id: str) -> str:
    """Return the name of a contact, or its id if the name is unknown."""
    contact = contacts.get(contact_id)
    return contact.display_name if contact else contact_id
