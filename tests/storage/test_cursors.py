"""The text of a cursor over several accounts."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webwx.errors import InvalidCursor
from webwx.storage.cursors import decode_cursor, encode_cursor

ACCOUNTS = st.integers(1, 2**63 - 1)
POSITIONS = st.dictionaries(ACCOUNTS, st.integers(1, 2**63 - 1), max_size=20)


@given(POSITIONS)
def test_a_cursor_holds_one_number_for_each_account(numbers: dict[int, int]) -> None:
    assert decode_cursor(encode_cursor(numbers)) == numbers


@given(POSITIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_accounts_makes_no_difference(numbers: dict[int, int], rng: random.Random) -> None:
    shuffled = list(numbers.items())
    rng.shuffle(shuffled)
    assert encode_cursor(dict(shuffled)) == encode_cursor(numbers)


@given(st.text(min_size=1))
def test_any_other_text_raises_the_same_error(text: str) -> None:
    with pytest.raises(InvalidCursor, match="This is not a valid cursor; pass one that was returned before"):
        decode_cursor(text)


@given(POSITIONS.filter(bool), st.data())
def test_one_changed_character_is_detected(numbers: dict[int, int], data: st.DataObject) -> None:
    cursor = encode_cursor(numbers)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda each: each != cursor[place]))
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor[:place] + other + cursor[place + 1 :])


@given(POSITIONS.filter(bool), st.data())
def test_a_truncated_cursor_is_detected(numbers: dict[int, int], data: st.DataObject) -> None:
    cursor = encode_cursor(numbers)
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor[: data.draw(st.integers(1, len(cursor) - 1))])


def test_a_cursor_of_another_version_is_refused() -> None:
    packed = bytearray(base64.urlsafe_b64decode(encode_cursor({1: 1}) + "=="))
    packed[0] = 2
    with pytest.raises(InvalidCursor):
        decode_cursor(base64.urlsafe_b64encode(packed).decode().rstrip("="))


def test_the_beginning_of_every_account_is_the_empty_cursor() -> None:
    assert encode_cursor({}) == encode_cursor({1: 0}) == ""
    assert decode_cursor("") == {}


def test_a_cursor_is_valid_in_a_url() -> None:
    cursor = encode_cursor({account: 2**62 + account for account in range(1, 100)})
    assert cursor.replace("-", "").replace("_", "").isalnum()
