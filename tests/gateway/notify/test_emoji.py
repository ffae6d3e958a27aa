"""Emoji short codes."""

from __future__ import annotations

import re

import pytest

from webwx.gateway.notify.emoji import EMOJI, replace_emoji


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":fire: :+1:", "🔥 👍"),
        ("a:fire:b", "a🔥b"),
        (":no_such_code:", ":no_such_code:"),
        ("10:30:15", "10:30:15"),
        (":fire", ":fire"),
    ],
)
def test_known_codes_are_replaced(text: str, shown: str) -> None:
    assert shown == replace_emoji(text)


def test_the_table_has_codes_and_characters_in_turn() -> None:
    assert all(re.fullmatch(r"[a-z0-9_+\-]+", code) and not sign.isascii() for code, sign in EMOJI.items())
