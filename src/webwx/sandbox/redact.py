"""
Replaces secrets in recorded traffic before people see it.

Secrets that the world has issued are found in every spelling: percent-encoded any number of times, JSON-escaped, or
inside base64. Others, such as the keys of a login saved elsewhere, are found by the names of their fields.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

REDACTED = "***"
"""The text that replaces a secret."""

LONGEST = 512
"""Maximum length of a secret in its longest spelling, in characters."""

_SHORTEST = 8
"""Minimum length of a secret in bytes; a shorter text would be found by chance."""

_NAMED = re.compile(
    r"(?<![a-z0-9_])(skey|w?x?sid|w?x?uin|pass_ticket|ticket|uuid|webwx_(?:data|auth)_ticket|webwxuvid)"
    r"(\\*\"?\s*[:=]\s*\\*\"?|>)([^\"\\&;,<>\s{}]+)",
    re.IGNORECASE,
)
"""A field name of the platform's secrets and its value, in a query, a form, a cookie, JSON or XML."""

_ESCAPE = re.compile(rb"%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\([^u])", re.IGNORECASE | re.DOTALL)

_ROUNDS = 6
"""Maximum number of levels of escaping."""


class Redactor:
    """
    Replaces secrets in texts.

    Args:
        issued: The secrets; secrets that are added to the set later are included.
    """

    def __init__(self, issued: AbstractSet[str]) -> None:
        self._issued = issued
        self._known: set[str] = set()
        self._spellings: dict[bytes, list[bytes]] = {}
        """Secrets by their first bytes, so that one pass finds all of them."""

    def redact(self, text: str, limit: int | None = None) -> str:
        """
        Return a text with its secrets replaced.

        Args:
            text: The text to redact.
            limit: Maximum number of characters to return; the rest helps to recognize a secret that the limit cuts.
        """
        self._learn()
        end = len(text) if limit is None else limit
        shown: list[str] = []
        at = 0
        for start, stop in self._places(text):
            if start >= end:
                break
            shown += (text[at:start], REDACTED)
            at = stop
        shown.append(text[at:end])
        return _NAMED.sub(rf"\1\2{REDACTED}", "".join(shown))

    def _learn(self) -> None:
        for secret in self._issued - self._known:
            self._known.add(secret)
            *_, (plain, _) = _unescaped(secret)
            if len(plain) >= _SHORTEST:
                for spelling in _spellings(plain):
                    self._spellings.setdefault(spelling[:_SHORTEST], []).append(spelling)

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Return the start and the end of each secret, in order."""
        places = sorted(place for plain, origins in _unescaped(text) for place in self._found(plain, origins))
        at = 0
        for start, stop in places:
            if stop > at:
                yield max(at, start), stop
                at = stop

    def _found(self, plain: bytes, origins: Sequence[int]) -> Iterator[tuple[int, int]]:
        at = 0
        while at <= len(plain) - _SHORTEST:
            found = [each for each in self._spellings.get(plain[at : at + _SHORTEST], ()) if plain.startswith(each, at)]
            if found:
                stop = at + max(map(len, found))
                yield origins[at], origins[stop]
                at = stop
            else:
                at += 1


def _unescaped(text: str) -> Iterator[tuple[bytes, Sequence[int]]]:
    """Return the bytes of a text after each level of unescaping, with their positions in the text."""
    plain = text.encode("utf-8", "surrogatepass")
    origins: Sequence[int] = range(len(plain) + 1)
    if len(plain) > len(text):
        origins = [place for place, sign in enumerate(text) for _ in sign.encode("utf-8", "surrogatepass")]
        origins.append(len(text))
    yield plain, origins
    for _ in range(_ROUNDS):
        if not _ESCAPE.search(plain):
            return
        plain, origins = _unescaped_once(plain, origins)
        yield plain, origins


def _unescaped_once(plain: bytes, origins: Sequence[int]) -> tuple[bytes, Sequence[int]]:
    shorter, places, at = bytearray(), list[int](), 0
    for escape in _ESCAPE.finditer(plain):
        percent, code, sign = escape.groups()
        meant = sign or (_bytes_of(code) if code else bytes.fromhex(percent.decode()))
        shorter += plain[at : escape.start()] + meant
        places += [*origins[at : escape.start()], *[origins[escape.start()]] * len(meant)]
        at = escape.end()
    return bytes(shorter + plain[at:]), [*places, *origins[at:]]


def _bytes_of(code: bytes) -> bytes:
    return chr(int(code, 16)).encode("utf-8", "surrogatepass")


def _spellings(secret: bytes) -> Iterator[bytes]:
    yield secret
    for offset in range(3):
        # The same bytes have three spellings by their offset; the outermost characters depend on their neighbours.
        sure = slice((offset * 8 + 5) // 6, (offset + len(secret)) * 8 // 6)
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * offset + secret)[sure]
