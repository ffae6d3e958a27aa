"""
Filters: the keywords of `on`, which are compiled into functions once.

Each keyword checks one field. A handler that filters by a field is never tried for events without that field; if all
its event classes lack the field, it is refused when it is registered.
"""

from __future__ import annotations

import logging
import re
from operator import attrgetter
from typing import TYPE_CHECKING, TypedDict

from webwx.bot.steps import StepChoice
from webwx.client.people.identities import To
from webwx.errors import UnknownContact
from webwx.model.contacts import Contact, is_chatroom
from webwx.model.text import is_mentioned

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.bot.context import Context
    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event

    EventCheck = Callable[[Context, Event], bool]
    """Checks an event; it never waits and sends nothing."""

_log = logging.getLogger("webwx.bot")

FIELDS = {
    "text": "text", "regex": "text", "command": "text", "mentions_me": "text",
    "chat": "chat", "group": "chat", "sender": "sender", "state": "chat",
}  # fmt: skip
"""The field that each keyword checks."""

_CONTACTS = "give a name, a number, an id, a contact, an identity, or several in a tuple"

_EXPECTED = {
    "text": "give a text",
    "regex": "give a pattern for text",
    "chat": _CONTACTS,
    "sender": _CONTACTS,
    "mentions_me": "give True or False",
    "group": "give True or False",
    "state": "give a step, a class of steps, None, or several in a tuple",
    "own": "give True or False",
    "backlog": "give True or False",
    "command": "give a name, or several in a tuple",
}
"""The values that each keyword takes, as a request to the user."""


class ConditionKeywordsWithoutRegex(TypedDict, total=False):
    """The keywords of `Filter` except `regex`."""

    text: str
    """The text is equal to this."""
    chat: To | tuple[To, ...]
    """The event's chat is this one, or one of these: a remark, a nickname, an identity number, an id or a contact."""
    sender: To | tuple[To, ...]
    """The message's author is this person, or one of these, in any chat."""
    mentions_me: bool
    """The text mentions this account by `@` and its name in the chatroom or its nickname; False: no mention."""
    group: bool
    """The event's chat is a chatroom; False: it is a chat with one person."""
    state: StepChoice | tuple[StepChoice, ...]
    """The conversation is at this step, at any step of this class, or at no step (None); a tuple for several."""


class ConditionKeywords(ConditionKeywordsWithoutRegex, total=False):
    """The keywords of `Filter`; an event has to pass all of them."""

    regex: str | re.Pattern[str]
    """The pattern is found in the text; `ctx.match` is not set."""


CONDITION_KEYWORDS = ("text", "regex", "chat", "sender", "mentions_me", "group", "state")
"""The keywords of `Filter`."""


class EventKeywords(ConditionKeywordsWithoutRegex, total=False):
    """The keywords of `on` except `regex` and `command`; an event has to pass all of them."""

    own: bool
    """Accept messages of this account as well, from its phone; messages that this program sent never match."""
    backlog: bool
    """False: refuse messages that were written before the bot started."""


class FilterKeywordsWithoutRegex(EventKeywords, total=False):
    """The keywords of `on` except `regex`; an event has to pass all of them."""

    command: str | tuple[str, ...]
    """The text is this command, such as `/remind 5 tea`; a tuple gives it other names. See `Commands`."""


class FilterKeywords(FilterKeywordsWithoutRegex, total=False):
    """The keywords of `on`; an event has to pass all of them."""

    regex: str | re.Pattern[str]
    """The pattern is found in the text; `ctx.match` is the match."""


def make_check(keyword: str, value: object) -> EventCheck:
    """
    Return the function for `text`, `group` or `mentions_me`.

    Raises:
        TypeError: The value has the wrong type, or there is no such keyword.
    """
    match keyword, value:
        case "text", str():
            return lambda _, event: _text(event) == value
        case "group", bool():
            return lambda _, event: is_chatroom(_chat(event)) is value
        case "mentions_me", bool():
            return lambda context, event: is_account_mentioned(context.client, event) is value
    if keyword not in _EXPECTED:
        raise TypeError(f"on() has no keyword {keyword}=; it has {', '.join(f'{each}=' for each in _EXPECTED)}.")
    raise TypeError(f"{keyword}= cannot be {value!r}; {_EXPECTED[keyword]}.")


def make_regex(pattern: object) -> re.Pattern[str]:
    """
    Return the compiled pattern of `regex`.

    Raises:
        TypeError: The value is not a pattern for text.
        ValueError: The pattern cannot be compiled.
    """
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern
    if not isinstance(pattern, str):
        raise TypeError(f"regex= cannot be {pattern!r}; {_EXPECTED['regex']}.")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"regex= cannot be {pattern!r}: {error}.") from None


def make_flag(keyword: str, value: object) -> bool:
    """
    Return the value of `own` or `backlog`.

    Raises:
        TypeError: The value is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{keyword}= cannot be {value!r}; {_EXPECTED[keyword]}.")
    return value


class ContactFilter:
    """
    The filter of `chat`, `sender` or `allow`.

    A name is looked up for each event, because names change. A name that no contact has, or that several have, matches
    no event: a stranger with a friend's nickname must not count as the friend.

    Args:
        keyword: `chat`, `sender`, or `allow`, which means the chat as well.
        value: A contact in any form, or several in a tuple.
        handler: The handler's name, for the log.

    Raises:
        TypeError: The value has the wrong type.
        ValueError: The value is empty.
    """

    def __init__(self, keyword: str, value: object, handler: str) -> None:
        contacts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(each, bool) or not isinstance(each, To) for each in contacts):
            raise TypeError(f"{keyword}= cannot be {value!r}; {_CONTACTS}.")
        if not contacts or "" in contacts:
            raise ValueError(f"{keyword}= cannot be {value!r}; {_CONTACTS}.")
        self._contacts: tuple[To, ...] = contacts
        self._keyword = keyword
        self._get = attrgetter("sender" if keyword == "sender" else "chat")
        self._handler = handler
        self._known: dict[tuple[To, str], str] = {}
        """Ids that the journal returned, by the contact wanted and this account's id in that login."""
        self._is_logged = False

    async def matches(self, client: AsyncClient, event: Event) -> bool:
        """Return whether an event's chat or sender is one of the contacts."""
        found = self._get(event)
        if not found:
            return False
        for contact in self._contacts:
            if contact == found or await self._find_id(contact, client) == found:
                return True
        return False

    async def _find_id(self, contact: To, client: AsyncClient) -> str | None:
        try:
            if isinstance(contact, str):
                return client.contacts.resolve(contact).id
            login = client.account.id
            if (contact, login) not in self._known:
                self._known[contact, login] = (await client.find_contact(contact)).id
            return self._known[contact, login]
        except UnknownContact:
            if not self._is_logged:
                self._is_logged = True
                _log.warning(
                    "%s: no contact, or more than one, has a name given in %s=; this name matches no event.",
                    self._handler, self._keyword,
                )  # fmt: skip
            return None


def names_in(value: To | tuple[To, ...]) -> frozenset[str]:
    """Return the names and ids in a value of `chat` or `sender`; empty if it holds a number or an identity."""
    contacts = value if isinstance(value, tuple) else (value,)
    names = [each.id if isinstance(each, Contact) else each for each in contacts]
    return frozenset(each for each in names if isinstance(each, str)) if all(map(_is_name, names)) else frozenset()


def _is_name(value: object) -> bool:
    return isinstance(value, str)


_text = attrgetter("text")
_chat = attrgetter("chat")


def is_account_mentioned(client: AsyncClient, event: Event) -> bool:
    """Return whether the text of an event mentions the account."""
    text = _text(event)
    return "@" in text and is_mentioned(text, names_of_account(client, event))


def names_of_account(client: AsyncClient, event: Event) -> tuple[str, ...]:
    """Return the names under which the account can be mentioned in the chat of an event."""
    account, room = client.account, client.contacts.get(_chat(event))
    cards = [member.display_name for member in (room.members if room else ()) if member.id == account.id]
    return (*cards, account.nickname)
