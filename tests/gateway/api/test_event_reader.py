"""The events that a reader selects."""

from __future__ import annotations

import pytest

from webwx.gateway.api.event_reader import patterns_of
from webwx.model.event_filters import matches


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (None, ["message.text", "phone.activity"]),
        ("message.*", ["message.text"]),
        ("phone.activity, message.image", ["phone.activity"]),
        ("MESSAGE.*", []),
    ],
)
def test_types_are_patterns(types: str | None, wanted: list[str]) -> None:
    patterns = patterns_of(types)
    assert [each for each in ("message.text", "phone.activity") if matches(each, patterns)] == wanted
