"""
Names as the platform sorts them: each character as a syllable, its initial in capitals and the whole in small letters.

What matters is that one name always gives one spelling and that different names may give the same. So only characters
that turn up in this sandbox are spelled as people do; any other gets a syllable of its own making.
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
    """Give a name's initials and its full form; what is neither letter nor digit becomes a question mark."""
    syllables = [_syllable(each) for each in name if not each.isspace()]
    return "".join(each[0] for each in syllables).upper(), "".join(syllables)


def _syllable(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else "?"
    if not character.isalpha():
        return "?"
    at = ord(character)
    return _SPELLED.get(character) or _BEGINNINGS[at % len(_BEGINNINGS)] + _ENDS[at % len(_ENDS)]
