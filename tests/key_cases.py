"""Second requests with the idempotency key of a first one: which of them are the same send, wherever they arrive."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Case(NamedTuple):
    """A second request with the key of a text "hello" to Boss, and what happened in between."""

    to: str
    text: str
    """The text; for a file its name and its content."""
    is_same: bool
    event: Literal["", "deleted", "login"] = ""
    """`deleted`: the contact was deleted. `login`: the account has logged in again, so all ids are new."""
    kind: Literal["text", "file"] = "text"


CASES = {
    "the same request": Case("Boss", "hello", True),
    "another text": Case("Boss", "good bye", False),
    "another kind": Case("Boss", "hello", False, kind="file"),
    "another recipient": Case("阿华", "hello", False),
    "an unknown recipient": Case("Zoe", "hello", False),
    "another name of the recipient": Case("李雷", "hello", True),
    "the same request after the contact was deleted": Case("Boss", "hello", True, "deleted"),
    "another text after the contact was deleted": Case("Boss", "good bye", False, "deleted"),
    "another name in the next login": Case("李雷", "hello", True, "login"),
    "another recipient in the next login": Case("阿华", "hello", False, "login"),
}
