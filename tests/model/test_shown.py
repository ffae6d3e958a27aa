"""Which fields of events may be shown."""

from __future__ import annotations

import msgspec
import pytest
from tests.hidden_fields import EVENTS, HIDDEN, MARKS, classes_of, is_hidden, marked, name_of
from tests.samples import sample

from webwx.model.shown import Shown, shown_fields

CLASSES = sorted({each for kind in EVENTS for each in classes_of(kind)}, key=lambda kind: kind.__name__)


class Note(msgspec.Struct):
    title: Shown[str]
    key: str
    size: Shown[int] = 0


class LongNote(Note):
    text: Shown[str] = ""
    secret: str = ""


def test_a_field_is_shown_if_it_is_marked() -> None:
    assert shown_fields(Note) == ("title", "size")
    assert shown_fields(LongNote) == ("title", "size", "text")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_field_of_an_event_is_marked_or_hidden_for_a_reason(kind: type[msgspec.Struct]) -> None:
    hidden = tuple(field for field in kind.__struct_fields__ if is_hidden(kind, field))
    assert sorted((*shown_fields(kind), *hidden)) == sorted(kind.__struct_fields__)


def test_every_hidden_field_exists() -> None:
    assert {name_of(kind, field) for kind in CLASSES for field in kind.__struct_fields__} >= HIDDEN.keys()


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_repr_has_no_hidden_field_and_says_that_there_are_some(kind: type[msgspec.Struct]) -> None:
    value = marked(sample(kind, lambda _name: "x"))

    for shown in (repr(value), str(value), repr(list(value.__rich_repr__()))):
        assert not any(str(mark) in shown for mark in MARKS)
    assert ("***)" in repr(value)) == any(
        is_hidden(each, name) for each in classes_of(kind) for name in each.__struct_fields__
    )
