"""The events that a reader selects."""

from __future__ import annotations

import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.api.event_reader import patterns_of
from webwx.model.event_filters import matches


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (None, ["message.text", "phone.activity"]),
        ("message.*", ["message.text"]),
        ("phone.activity, message.image", ["phone.activity"]),
    ],
)
def test_types_are_patterns(types: str | None, wanted: list[str]) -> None:
    patterns = patterns_of(types)
    assert [each for each in ("message.text", "phone.activity") if matches(each, patterns)] == wanted


@pytest.mark.parametrize(
    ("types", "suggested"),
    [("message.*,text_message", "message"), ("MESSAGE.*", "message"), ("message.txt", "message.text")],
)
def test_a_pattern_that_matches_no_type_is_refused_with_the_probable_one(types: str, suggested: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Did you mean '{suggested}"):
        patterns_of(types)
