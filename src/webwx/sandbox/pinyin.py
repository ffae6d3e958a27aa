"""
Pinyin of names, by which the platform sorts them: the initials in capitals, and all syllables in small letters.

A name always has the same spelling, and different names may share one. Characters that occur in this sandbox have their
real spelling; any other gets a generated syllable.
"""

from __future__ import annotations

_SPELLED = {
    "小": "xiao", "明": "ming", "阿": "a", "华": "hua", "张": "zhang", "三": "san", "李": "li", "雷": "lei",
    "周": "zhou", "末": "mo", "爬": "pa", "山": "shan", "文": "wen", "件": "jian", "传": "chuan", "输": "shu",
    "助": "zhu", "手": "shou", "微": "wei", "信": "xin", "团": "tuan", "队": "dui",
}  # fmt: skip

_BEGINNINGS = ("b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "sh", "zh", "ch", "r", "z", "c", "s", "w", "y")
_ENDS = ("a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "ou", "u")


def spell(name: str) -> tuple[str, str]:
    """Return a name's initials and its full form; signs other than letters and digits become question marks."""
    syllables = [_syllable(each) for each in name if not each.isspace()]
    return "".join(each[0] for each in syllables).upper(), "".join(syllables)


def _syllable(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else "?"
    if not character.isalpha():
        return "?"
    at = ord(character)
    return _SPELLED.get(character) or _BEGINNINGS[at % len(_BEGINNINGS)] + _ENDS[at % len(_ENDS)]
