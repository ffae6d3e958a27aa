from __future__ import annotations

import pytest

from webwx.sandbox.pinyin import spell


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("小明", ("XM", "xiaoming")),
        ("文件传输助手", ("WJCSZS", "wenjianchuanshuzhushou")),
        ("Li Lei 2", ("LILEI2", "lilei2")),
        ("阿华😂!", ("AH??", "ahua??")),
        ("", ("", "")),
    ],
)
def test_pinyin_of_names_is_as_on_the_platform(name: str, spelled: tuple[str, ...]) -> None:
    assert spell(name) == spelled


def test_a_character_always_has_the_same_syllable_and_others_share_it() -> None:
    initials, pinyin = spell("龙龙")
    assert (len(initials), pinyin[: len(pinyin) // 2]) == (2, pinyin[len(pinyin) // 2 :])
    assert spell("龙") == spell(chr(ord("龙") + 220))
