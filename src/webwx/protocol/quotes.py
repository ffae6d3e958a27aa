"""
Quotes in the form of a plain text, for client and server.

A web client receives a reply that quotes a message as one text: the author's name and the quoted text in corner
brackets, a line of dashes, and the reply. Clients of others recognise 15 dashes with blanks between them; no recorded
sample shows the length of the line, so that five and more are read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

OPENING, CLOSING = "「", "」"

LONGEST_NAME = 200
"""Maximum length of the author's name in characters; the platform allows a few dozen."""

_LINE = "- " * 14 + "-"

_END = re.compile(CLOSING + r"[ \t]*+(?:\r\n?|\n)[ \t]*+(?:[-‐–—―─－][ \t]*+){5,}+(?:\r\n?|\n)")
"""End of the quoted text with the line of dashes, which may be of any kind."""


class TextQuote(NamedTuple):
    """The parts of a text that quotes a message."""

    name: str
    """Name of the quoted author, as shown by the platform."""
    quoted: str
    """The quoted text; a quote inside it is not taken apart."""
    reply: str

    def __repr__(self) -> str:
        return "TextQuote(***)"


def write_text_quote(quote: TextQuote) -> str:
    """Encode a quote as one text."""
    return f"{OPENING}{quote.name}：{quote.quoted}{CLOSING}\n{_LINE}\n{quote.reply}"


def read_text_quote(text: str) -> TextQuote | None:
    """
    Take a text apart that begins with a quote; None if it does not.

    Of several ends, as in a quote within a quote, the one whose brackets match is taken; if none does, the one that
    leaves the fewest brackets open, and the first of equal ones.
    """
    if not text.startswith(OPENING):
        return None
    ends = list(_END.finditer(text))
    if not ends:
        return None
    end = min(zip(_open_brackets(text, ends), ends, strict=True), key=lambda each: each[0])[1]
    name, colon, quoted = _split_name(text[1 : end.start()])
    reply = text[end.end() :]
    if not colon or not name.strip() or len(name) > LONGEST_NAME or len(name.splitlines()) > 1 or not reply.strip():
        return None
    return TextQuote(name, quoted, reply)


def _open_brackets(text: str, ends: list[re.Match[str]]) -> list[int]:
    """Return for each end how many brackets before it have no partner."""
    found, open_, start = [], 0, 1
    for end in ends:
        between = text[start : end.start()]
        open_ += between.count(OPENING) - between.count(CLOSING)
        found.append(abs(open_))
        start = end.start()
    return found


def _split_name(said: str) -> tuple[str, str, str]:
    """Split the author's name from the text; a name may contain a colon of the other kind."""
    name, colon, quoted = said.partition("：")
    if colon and "\n" not in name:
        return name, colon, quoted
    return said.partition(": ")
