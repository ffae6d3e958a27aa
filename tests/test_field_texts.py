"""The strings under the fields of classes."""

from __future__ import annotations

from webwx.field_texts import field_texts
from webwx.representations.sends import OutboxEntry


class Elsewhere:
    field: int
    """A string in a module of another package."""


def test_the_texts_of_a_class_include_those_of_its_bases() -> None:
    texts = field_texts(OutboxEntry)

    assert texts["message_id"] == "The platform's id of the message, once it is sent."
    assert texts["number"] == "Number of the send in its account."
    assert "created_at" not in texts


def test_other_packages_have_none() -> None:
    assert field_texts(Elsewhere) == {}
