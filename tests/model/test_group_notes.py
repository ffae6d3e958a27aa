"""Group notes: the entries in the text that phones show."""

from __future__ import annotations

import pytest

from webwx.model.group_notes import read_group_note
from webwx.model.messages import GroupNoteEntry
from webwx.protocol.appmsg import SolitaireEntry

NOTE = "#接龙\n打卡💪\n例 1. 无\n\n1. 小华 跑步\n20 分钟\n2. 小明"


def place_of(text: str, author: str = "") -> SolitaireEntry:
    """Return the place of a text in the note, in units of UTF-16."""
    before = NOTE[: NOTE.index(text)].encode("utf-16-le")
    return SolitaireEntry(author=author, begin=len(before) // 2, length=len(text.encode("utf-16-le")) // 2)


FIRST, SECOND = place_of("小华 跑步\n20 分钟", "wxid_a"), place_of("小明", "wxid_b")


def test_entries_are_read_at_their_places() -> None:
    assert read_group_note(NOTE, (FIRST, SECOND)) == (
        "#接龙\n打卡💪\n例 1. 无",
        (GroupNoteEntry(text="小华 跑步\n20 分钟", author="wxid_a"), GroupNoteEntry(text="小明", author="wxid_b")),
    )


@pytest.mark.parametrize(
    "places",
    [
        (),
        (SECOND, FIRST),
        (FIRST, FIRST),
        (SolitaireEntry(begin=-1, length=3),),
        (SolitaireEntry(begin=0, length=0),),
        (SolitaireEntry(begin=0, length=10_000),),
    ],
)
def test_entries_are_found_by_their_numbers_if_a_place_is_missing_or_wrong(places: tuple[SolitaireEntry, ...]) -> None:
    assert read_group_note(NOTE, places) == (
        "#接龙\n打卡💪\n例 1. 无", (GroupNoteEntry(text="小华 跑步\n20 分钟"), GroupNoteEntry(text="小明")),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "#接龙", "2. 小明"])
def test_a_note_without_entries_has_a_title_only(text: str) -> None:
    assert read_group_note(text, ()) == (text, ())


def test_an_entry_at_the_begin_has_no_title() -> None:
    assert read_group_note("1. 小华", (SolitaireEntry(begin=3, length=2),)) == ("", (GroupNoteEntry(text="小华"),))
