"""Filters of events by their type."""

from __future__ import annotations

import pytest

from webwx.model.event_filters import is_named, matches


@pytest.mark.parametrize(
    ("patterns", "is_wanted"),
    [
        ((), True),
        (("message.text",), True),
        (("message.*",), True),
        (("*",), True),
        (("*.text",), True),
        (("friend.*", "message.text"), True),
        (("message",), True),
        (("mess",), False),
        (("message.image", "friend.*"), False),
        (("MESSAGE.*",), False),
    ],
)
def test_a_filter_is_a_list_of_types_and_patterns(patterns: tuple[str, ...], is_wanted: bool) -> None:
    assert matches("message.text", patterns) is is_wanted


def test_a_type_matches_the_types_below_it() -> None:
    assert matches("message.quote.text", ("message.quote",))
    assert not matches("message.quote", ("message.quote.text",))


@pytest.mark.parametrize(
    ("patterns", "named"),
    [
        ((), False),
        (("*",), False),
        (("send",), True),
        (("send.*",), True),
        (("send*",), True),
        (("*", "send.changed"), True),
        (("send.other",), False),
    ],
)
def test_a_type_is_named_by_itself_or_its_first_part(patterns: tuple[str, ...], named: bool) -> None:
    assert is_named("send.changed", patterns) is named
