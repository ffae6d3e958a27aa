"""
What must be so before a handler gets an event: the keywords of `on`, made into functions once.

Each keyword looks at one field. A handler that asks for a field is never asked about events that cannot have it, and
one that names only such events is refused when it is registered: it could never be called.
"""

from __future__ import annotations

import logging
import re
from operator import attrgetter
from typing import TYPE_CHECKING, TypedDict

from webwx.client.identity import To
from webwx.errors import UnknownContact
from webwx.model.contacts import Contact, is_chatroom
from webwx.model.text import is_mentioned

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event

    Test = Callable[[AsyncClient, Event], bool]
    """What looks at an event; it neither waits nor asks a server."""

_log = logging.getLogger("webwx.bot")

FIELDS = {
    "text": "text", "regex": "text", "mentions_me": "text", "chat": "chat", "group": "chat", "sender": "sender",
}  # fmt: skip
"""By keyword, the field that it looks at."""

_SOMEBODY = "give a name, a number, an id, a contact, an identity, or several in a tuple"

_EXPECTED = {
    "text": "give a text",
    "regex": "give a pattern for text",
    "chat": _SOMEBODY,
    "sender": _SOMEBODY,
    "mentions_me": "give True or False",
    "group": "give True or False",
    "own": "give True or False",
    "backlog": "give True or False",
}
"""By keyword, what may be given."""


class OtherConditions(TypedDict, total=False):
    """The keywords of `on` beside `regex`; all of them must be so."""

    text: str
    """The text is this, to the letter."""
    chat: To | tuple[To, ...]
    """It happened in this chat, or in one of these: a remark, a nickname, a number of `who`, an id or a contact."""
    sender: To | tuple[To, ...]
    """This person wrote it, or one of these, in whatever chat."""
    mentions_me: bool
    """The text has `@` and this account's name in the chatroom, or its nickname; False: it has not."""
    group: bool
    """It happened in a chatroom; False: in a chat of two."""
    own: bool
    """The account's own as well, when they come from its phone; what was sent from here never does."""
    backlog: bool
    """False leaves out what was written before the bot began."""


class Conditions(OtherConditions, total=False):
    """The keywords of `on`; all of them must be so."""

    regex: str | re.Pattern[str]
    """It is found somewhere in the text; `ctx.match` is where."""


def make_test(keyword: str, value: object) -> Test:
    """
    Make the function that `text`, `group` or `mentions_me` stands for.

    Raises:
        TypeError: The value is of no kind that it can be, or there is no such keyword.
    """
    match keyword, value:
        case "text", str():
            return lambda _, event: _text(event) == value
        case "group", bool():
            return lambda _, event: is_chatroom(_chat(event)) is value
        case "mentions_me", bool():
            return lambda client, event: _is_mentioned(client, event) is value
    if keyword not in _EXPECTED:
        raise TypeError(f"There is no keyword {keyword}=; there are {', '.join(f'{each}=' for each in _EXPECTED)}.")
    raise TypeError(f"{keyword}= cannot be {value!r}; {_EXPECTED[keyword]}.")


def make_regex(pattern: object) -> re.Pattern[str]:
    """
    Make the pattern that `regex` stands for.

    Raises:
        TypeError: It is none for text.
        ValueError: It cannot be read.
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
    Give what `own` or `backlog` says.

    Raises:
        TypeError: It is neither true nor false.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{keyword}= cannot be {value!r}; {_EXPECTED[keyword]}.")
    return value


class Whom:
    """
    Who is meant by `chat` or `sender`.

    A name is looked up each time, since people change theirs. One that fits nobody, or several, means nobody: a
    stranger who takes a friend's nickname must not be taken for the friend.

    Args:
        keyword: One of the two.
        value: Somebody, or several in a tuple.
        handler: Whose it is, for the log.

    Raises:
        TypeError: The value names nobody in any of the ways there are.
        ValueError: It is empty.
    """

    def __init__(self, keyword: str, value: object, handler: str) -> None:
        wanted = value if isinstance(value, tuple) else (value,)
        if any(isinstance(each, bool) or not isinstance(each, To) for each in wanted):
            raise TypeError(f"{keyword}= cannot be {value!r}; {_SOMEBODY}.")
        if not wanted or "" in wanted:
            raise ValueError(f"{keyword}= cannot be {value!r}; {_SOMEBODY}.")
        self._wanted: tuple[To, ...] = wanted
        self._keyword = keyword
        self._get = attrgetter(keyword)
        self._handler = handler
        self._known: dict[tuple[To, str], str] = {}
        """Ids that the journal has told, by whom they are of and who the account was in that login."""
        self._is_told = False

    async def fits(self, client: AsyncClient, event: Event) -> bool:
        """Say whether an event's chat or sender is one of those who are meant."""
        found = self._get(event)
        if not found:
            return False
        for who in self._wanted:
            if who == found or await self._id_of(who, client) == found:
                return True
        return False

    async def _id_of(self, who: To, client: AsyncClient) -> str | None:
        try:
            if isinstance(who, str):
                return client.contacts.resolve(who).id
            login = client.account.id
            if (who, login) not in self._known:
                self._known[who, login] = (await client.find_contact(who)).id
            return self._known[who, login]
        except UnknownContact:
            if not self._is_told:
                self._is_told = True
                _log.warning(
                    "%s: of those whom its %s= names, one is nobody here or may be several; no event is theirs then.",
                    self._handler, self._keyword,
                )  # fmt: skip
            return None


def names_in(value: To | tuple[To, ...]) -> frozenset[str]:
    """Return the names and ids in a value of `chat` or `sender`; empty if it holds a number or an identity."""
    wanted = value if isinstance(value, tuple) else (value,)
    names = [each.id if isinstance(each, Contact) else each for each in wanted]
    return frozenset(each for each in names if isinstance(each, str)) if all(map(_is_name, names)) else frozenset()


def _is_name(value: object) -> bool:
    return isinstance(value, str)


_text = attrgetter("text")
_chat = attrgetter("chat")


def _is_mentioned(client: AsyncClient, event: Event) -> bool:
    text, account = _text(event), client.account
    if "@" not in text:
        return False
    room = client.contacts.get(_chat(event))
    cards = [member.display_name for member in (room.members if room else ()) if member.id == account.id]
    return is_mentioned(text, (*cards, account.nickname))
