"""
The tokenizer of the full-text index, and the meaning of a search.

Chinese has no spaces, and a user cannot know where a program would split it into words. So every character of a script
that is written without spaces is a token of its own, and a word of any length is a run of tokens. Other scripts are
split at the ends of words, and the last token of a search matches the beginning of a word: `back` finds `backup`. Case,
accents and punctuation are ignored.

The functions are pure. The index, the search in it, and the search in entries that are not indexed yet share them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import InvalidRequest
from webwx.model.contacts import ContactId
from webwx.model.events import Item, event_from_item
from webwx.model.messages import Message, RedPacketMessage, TextMessage, TextQuoteMessage
from webwx.model.text import normalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.model.messages import Event

# Thai to Khmer, kana, ideographs, symbols and emoji.
_ALONE = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
    "\u2190-\u2bff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U000323af"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")


@cache
def _token() -> re.Pattern[str]:
    """Return the pattern of a token; its large ranges take two milliseconds to compile."""
    return re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")


def cut(text: str) -> list[str]:
    """Split a text into its tokens, in order."""
    return _token().findall(_fold(text))


def _fold(text: str) -> str:
    """Return a text with case, accents and full-width letters normalized."""
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKD", text):
        text = _ACCENTS.sub("", normalized("NFKD", text))
    return normalized("NFC", text.casefold())


MOST_TOKENS = 200
"""Maximum number of tokens in one search, because the index looks up each of them."""


class Query(msgspec.Struct, frozen=True):
    """A search: all of these runs of tokens, each anywhere in the text."""

    runs: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, words: str) -> Query:
        """
        Parse the words of a search, separated by spaces.

        Raises:
            InvalidRequest: The words have more tokens than a search takes.
        """
        query = cls(tuple(run for word in words.split() if (run := tuple(cut(word)))))
        count = sum(map(len, query.runs))
        if count > MOST_TOKENS:
            raise InvalidRequest(
                f"A search takes at most {MOST_TOKENS} words or Chinese characters, and this search has {count:,}."
            )
        return query

    @property
    def expression(self) -> str:
        """The search as an FTS5 expression; empty without a token. Tokens contain no quotes."""
        return " AND ".join(f'"{" ".join(run)}" *' for run in self.runs)

    def finds(self, tokens: Sequence[str]) -> bool:
        """Return whether a text's tokens contain all runs; an empty search matches no text."""
        return bool(self.runs) and all(_holds(tokens, run) for run in self.runs)


def _holds(tokens: Sequence[str], run: tuple[str, ...]) -> bool:
    """Return whether tokens contain a run; the last token of the run may be the beginning of a token."""
    *firsts, last = run
    count = len(firsts)
    return any(
        list(tokens[start : start + count]) == firsts and tokens[start + count].startswith(last)
        for start in range(len(tokens) - count)
    )


MAX_SEARCHED = 128 * 1024
"""Number of characters of a message that are searched."""

_FIELDS = ("text", "title", "description", "name", "label", "program", "greeting", "author", "note")
"""Text fields of messages that are searched."""

_INSIDE = ("quoted", "items", "person")
"""Fields of messages whose values have texts that are searched."""

_FIELDS_INSIDE = ("nickname", "company", "text")
"""Text fields of these values that are searched."""


@cache
def _fields_of(kind: type[msgspec.Struct], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field for field in names if field in kind.__struct_fields__)


def _texts_of(value: msgspec.Struct, names: tuple[str, ...]) -> list[str]:
    return [text for field in _fields_of(type(value), names) if (text := getattr(value, field))]


def searchable_text(event: Event) -> str:
    """Return all words of a message: its text, titles and names; empty for an event that is not a message."""
    if type(event) is TextMessage:  # as nearly always; the checks below take thirty times as long
        return event.text[:MAX_SEARCHED]
    if not isinstance(event, Message):
        return ""
    texts = _texts_of(event, _FIELDS)
    if isinstance(event, TextQuoteMessage):  # journals of earlier versions have the name in their index
        texts.append(event.quoted.sender_name)
    if isinstance(event, RedPacketMessage) and event.wish:
        texts.append(event.wish)
    for field in _fields_of(type(event), _INSIDE):
        inside = getattr(event, field)
        for each in inside if isinstance(inside, tuple) else (inside,):
            texts += _texts_of(each, _FIELDS_INSIDE)
    return "\n".join(texts)[:MAX_SEARCHED]


def words_of(raw: msgspec.Raw | bytes, own_id: str) -> str:
    """Return all words of a message as it was delivered."""
    return searchable_text(event_from_item(Item(kind="message", raw=msgspec.Raw(raw)), ContactId(own_id)))


def tokens_of(raw: msgspec.Raw | bytes, own_id: str) -> list[str]:
    """Return the tokens of a message as it was delivered."""
    return cut(words_of(raw, own_id))
