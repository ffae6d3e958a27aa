"""
The canary: no secret may stand in a log line, an error text or a repr.

`conftest.py` lets it listen to the whole run, at DEBUG; after every test it compares what was said with every secret
that any server of the run has handed out. A secret counts in each spelling it could travel in: raw, percent-encoded
(once and twice), JSON-escaped, and base64, where the same bytes have three spellings by their place in the whole.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

SHORTEST = 8
"""Characters. A shorter text is no secret: it would be found by chance."""


class Canary(logging.Handler):
    """What was said and what must not be."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._unread: list[tuple[str, str]] = []
        self._issued: list[AbstractSet[str]] = []
        self._sizes: list[int] = []
        """Number of secrets that are known of each issued set."""
        self._known: set[str] = set()
        self._spellings: dict[str, set[str]] = {}

    def watch(self, issued: AbstractSet[str]) -> None:
        """Take these for secrets, and whatever is added to the set later."""
        self._issued.append(issued)
        self._sizes.append(0)

    def hear(self, source: str, text: str) -> None:
        """Take note of a text that others could see."""
        self._unread.append((source, text))

    def emit(self, record: logging.LogRecord) -> None:
        """Hear a log line, with its traceback."""
        self.hear(f"log line of {record.name}", self.format(record))

    def hear_error(self, error: BaseException) -> None:
        """Hear an error in every form it can be shown, and the errors behind it."""
        seen: set[int] = set()
        behind: list[BaseException | None] = [error]
        while behind:
            each = behind.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            shown = (str(each), repr(each), repr(each.args), repr(vars(each)))
            self.hear(f"{type(each).__name__}", "\n".join(shown))
            behind += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))

    def leaks(self) -> list[str]:
        """Say where a secret stands in what was heard since the last time, without repeating the secret."""
        for number, issued in enumerate(self._issued):
            if len(issued) != self._sizes[number]:  # a run watches thousands of sets, and few of them still grow
                self._sizes[number] = len(issued)
                self._learn(issued - self._known)
        unread, self._unread = self._unread, []
        return [f"{source}: {masked}" for source, text in unread for masked in self._masked_secrets(text)]

    def _learn(self, secrets: AbstractSet[str]) -> None:
        self._known |= secrets
        for secret in secrets:
            if len(secret) >= SHORTEST:
                for spelling in spellings(secret):
                    self._spellings.setdefault(spelling[:SHORTEST], set()).add(spelling)

    def _masked_secrets(self, text: str) -> Iterator[str]:
        # One pass over the text whatever the number of secrets: a run issues thousands and logs megabytes.
        for start in range(len(text) - SHORTEST + 1):
            for spelling in self._spellings.get(text[start : start + SHORTEST], ()):
                if text.startswith(spelling, start):
                    yield f"…{text[max(0, start - 40) : start]}[secret of {len(spelling)} characters]"


def spellings(secret: str) -> set[str]:
    """Give every way a secret may be written in a log."""
    once = quote(secret, safe="")
    found = {secret, quote(secret), once, quote(once, safe="")}
    for is_ascii in (True, False):
        inside_json = json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
        found |= {inside_json, inside_json.replace("/", "\\/")}
    raw = secret.encode()
    for offset in range(3):
        # The first and the last characters also depend on the neighbours, so only the sure ones count.
        sure = slice((offset * 8 + 5) // 6, (offset + len(raw)) * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * offset + raw).decode()[sure])
    return {each for each in found if len(each) >= SHORTEST}
