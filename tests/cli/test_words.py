"""Words of results: people see them in their language, and others stay as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from webwx.cli.language import use_language
from webwx.cli.words import ATTRIBUTES, KINDS, SOURCES, STATES, word


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language("")


@pytest.mark.parametrize("value", sorted({*STATES, *KINDS, *ATTRIBUTES, *SOURCES} - {"wxid", "uin"}))
def test_each_word_of_a_result_has_a_chinese_one(value: str) -> None:
    assert word(value) != value


def test_a_word_with_an_underscore_is_the_one_with_a_space() -> None:
    assert word("is_self") == word("is self")


def test_a_word_that_is_no_state_stays_as_it_is() -> None:
    assert word("阿华") == "阿华"
