"""Text as PostgreSQL stores it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webwx.storage.postgres.text import decode_text, encode_text


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\ue000")))
def test_any_text_comes_back_and_is_stored_without_nul(text: str) -> None:
    stored = encode_text(text)

    assert b"\0" not in stored
    assert decode_text(stored) == text


@pytest.mark.parametrize("text", ["\ue0000", "\ue0001", "\0", "\ue000\0"])
def test_text_that_looks_like_an_escape_comes_back(text: str) -> None:
    assert decode_text(encode_text(text)) == text


def test_lone_surrogates_are_replaced() -> None:
    assert decode_text(encode_text("a\ud800")) == "a\ufffd"
