"""
The secret scanner: it finds secrets in log lines, error texts and reprs.

`conftest.py` connects it to the whole run at level DEBUG. After every test it compares all recorded text with every
secret that any server of the run has issued. A secret counts in each spelling that it can have: raw, percent-encoded
(once and twice), JSON-escaped, and base64, where the same bytes have three spellings by their offset.
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
"""Characters. A shorter text does not count as a secret, because it would be found by chance."""


class SecretScanner(logging.Handler):
    """Records texts and finds the secrets in them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._unread: list[tuple[str, str]] = []
        self._issued: list[AbstractSet[str]] = []
        self._sizes: list[int] = []
        """Number of known secrets of each issued set."""
        self._known: set[str] = set()
        self._spellings: dict[str, set[str]] = {}

    def watch(self, issued: AbstractSet[str]) -> None:
        """Take these texts as secrets, and all that are added to the set later."""
        self._issued.append(issued)
        self._sizes.append(0)

    def record(self, source: str, text: str) -> None:
        """Record a text that others could see."""
        self._unread.append((source, text))

    def emit(self, record: logging.LogRecord) -> None:
        """Record a log line with its traceback."""
        self.record(f"log line of {record.name}", self.format(record))

    def record_error(self, error: BaseException) -> None:
        """Record an error in every form in which it can be shown, and the errors that caused it."""
        seen: set[int] = set()
        behind: list[BaseException | None] = [error]
        while behind:
            each = behind.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            shown = (str(each), repr(each), repr(each.args), repr(vars(each)))
            self.record(f"{type(each).__name__}", "\n".join(shown))
            behind += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))

    def leaks(self) -> list[str]:
        """Return where secrets stand in the texts recorded since the last call, without the secrets themselves."""
        unread, self._unread = self._unread, []
        if not unread:
            return []
        for number, issued in enumerate(self._issued):
            if len(issued) != self._sizes[number]:  # A run watches thousands of sets, and few of them still grow.
                self._sizes[number] = len(issued)
                self._learn(issued - self._known)
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
    """Return every way to write a secret in a log."""
    once = quote(secret, safe="")
    found = {secret, quote(secret), once, quote(once, safe="")}
    for is_ascii in (True, False):
        inside_json = json.dumps(secret, ensure_ascii=is_ascii)[1:-1]
        found |= {inside_json, inside_json.replace("/", "\\/")}
    raw = secret.encode()
    for offset in range(3):
        # The first and last characters also depend on the neighbouring bytes, so only those in between are compared.
        sure = slice((offset * 8 + 5) // 6, (offset + len(raw)) * 8 // 6)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * offset + raw).decode()[sure])
    return {each for each in found if len(each) >= SHORTEST}
