"""Conversion of delivered text in one pass; what a user typed never becomes markup."""

from __future__ import annotations

import unicodedata
from functools import partial
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.steps import lines_of

from webwx.model.text import (
    LONGEST_NAME,
    emoji,
    is_mentioned,
    normalized,
    notice_text,
    plain_text,
    without_mention,
    xml_text,
)
from webwx.protocol.content import escape

EMOJI = {
    "1f602": "😂",
    "1f600": "😀",
    "1F602": "😂",
    "1f44D": "👍",
    "1f44d1f3fd": "👍🏽",
    "1f926200d2642": "🤦\u200d♂",
    "1f9261f3fb200d2642fe0f": "🤦🏻\u200d♂️",
    "263a": "☺",
    "263afe0f": "☺️",
    "2764": "❤",
    "2764fe0f": "❤️",
    "00a9": "©",
    "00ae": "®",
    "2122": "™",
    "3030": "〰",
    "e415": "\ue415",
    "3120e3": "1\u20e3",
    "2320e3": "#\u20e3",
    "2a20e3": "*\u20e3",
    "003120e3": "1\u20e3",
    "002320e3": "#\u20e3",
    "0031fe0f20e3": "1\ufe0f\u20e3",
    "20e3": "\u20e3",
    "1f1e81f1f3": "🇨🇳",
    "1f1fa1f1f8": "🇺🇸",
    "1f468200d1f469": "👨\u200d👩",
    "1f468200d1f469200d1f467": "👨\u200d👩\u200d👧",
    "1f468200d1f469200d1f467200d1f466": "👨\u200d👩\u200d👧\u200d👦",
    "1f3f3fe0f200d1f308": "🏳️\u200d🌈",
    "1f441200d1f5e8": "👁\u200d🗨",
    "1f004": "🀄",
    "1f0cf": "🃏",
    "1f9ff": "🧿",
    "1fa70": "🩰",
}
"""The emoji that the hex digits of a span mean."""

NO_EMOJI = [
    "", "zz", "d83d", "D83D", "d83dde02", "dfff", "1f602d83d", "110000", "1f6", "1f60202", "12", "31", "1f602zz",
    "1f3f4e0067e0062e0065e006ee0067e007f", "0x1f602", "1f602 ", "-1f602", '"><b>', "\u0661f602",
]  # fmt: skip
"""Digits that mean no emoji; their span stays unchanged."""


def span(digits: str) -> str:
    return f'<span class="emoji emoji{digits}"></span>'


@pytest.mark.parametrize(("digits", "text"), EMOJI.items())
def test_an_emoji_span_becomes_the_emoji(digits: str, text: str) -> None:
    assert plain_text(f"a{span(digits)}b") == f"a{text}b"


@pytest.mark.parametrize("digits", NO_EMOJI)
def test_a_span_without_a_known_emoji_stays_unchanged(digits: str) -> None:
    assert plain_text(f"a{span(digits)}b") == f"a{span(digits)}b"


@given(some.text(alphabet="0123456789abcdefABCDEF", max_size=24))
def test_the_result_of_any_digits_can_be_encoded(digits: str) -> None:
    emoji(digits).encode()


def test_a_span_may_lack_its_last_bracket() -> None:
    assert plain_text('<span class="emoji emoji1f602"></span') == "😂"


def test_neighbouring_spans_are_separate() -> None:
    assert plain_text(span("1f1e81f1f3") + span("1f602")) == "🇨🇳😂"


@pytest.mark.parametrize(
    ("delivered", "written"),
    [
        ("你好", "你好"),
        ("AT&amp;T", "AT&T"),
        ("a &lt; b &gt; c", "a < b > c"),
        ("&quot;x&quot; &#39;y&#39;", "\"x\" 'y'"),
        ("a<br/>b<br />c", "a\nb\nc"),
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;amp;", "&amp;amp;"),
        ("&lt;br/&gt;", "<br/>"),
        ("&lt;span class=&quot;emoji emoji1f602&quot;&gt;&lt;/span&gt;", '<span class="emoji emoji1f602"></span>'),
        ('&lt;span class="emoji emoji1f602"&gt;&lt;/span&gt;', '<span class="emoji emoji1f602"></span>'),
        ("&nbsp;&copy;&unknown; & &; &#x41;", "&nbsp;&copy;&unknown; & &; &#x41;"),
        ("<b>not ours</b>", "<b>not ours</b>"),
    ],
)
def test_exactly_one_level_of_escaping_is_removed(delivered: str, written: str) -> None:
    assert plain_text(delivered) == written


@given(some.text(alphabet=some.one_of(some.sampled_from("&<>;\"'#br/ltgamp39\n\r"), some.characters(codec="utf-8"))))
def test_what_was_typed_arrives_as_it_was_typed(text: str) -> None:
    assert plain_text(escape(text)) == text.replace("\r\n", "\n")


def test_the_xml_of_a_content_ends_with_its_root() -> None:
    assert xml_text("&lt;msg&gt;&lt;img /&gt;&lt;/msg&gt;<br/>") == "<msg><img /></msg>"
    assert xml_text("&lt;msg&gt;a&lt;br/&gt;b&lt;/msg&gt;") == "<msg>a<br/>b</msg>"


def test_a_content_without_a_root_stays_unchanged() -> None:
    assert xml_text("@hash&amp;") == "@hash&"


def test_links_in_a_notice_are_replaced_by_their_text() -> None:
    notice = 'x &lt;a href="weixin://a"&gt;添加\n朋友&lt;/a&gt;, <a>y</a> &lt;b&gt;'

    assert notice_text(notice) == "x 添加\n朋友, y <b>"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<a>1</a><a href='x'>2</a>3<A>4</a>", "123<A>4</a>"),
        ("<a>1<a>2</a>3</a>", "1<a>23</a>"),
        ("<abbr>1</a>", "<abbr>1</a>"),
        ("<a", "<a"),
        ("<a>1</a><a>2", "1<a>2"),
        ("<a 1</a>2", "<a 1</a>2"),
        ("<a\n>1\n2</a>", "1\n2"),
    ],
)
def test_other_markup_stays_unchanged(content: str, text: str) -> None:
    assert notice_text(content) == text


@pytest.mark.parametrize("hostile", ["<a>", "<a ", "<a></a", "<a></a>", "&lt;a&gt;", "<br >", "<br/>", span("1f602")])
def test_a_text_takes_steps_in_proportion_to_its_length(hostile: str) -> None:
    counts = [lines_of(partial(notice_text, hostile * length)) for length in (500, 1_000, 2_000)]
    assert counts[2] <= 2.5 * counts[1] <= 6.25 * counts[0]


class TestNormalizing:
    @pytest.mark.parametrize("form", ["NFC", "NFKD"])
    @pytest.mark.parametrize(
        "text",
        ["e\u0301" * 600, "한글" * 300, "\u1112\u1161\u11ab" * 400, "\u09c7\u09be" * 400, "Åé好ﷺ" * 300, "plain " * 90],
    )
    def test_a_long_text_is_normalized_as_a_short_one(self, form: Literal["NFC", "NFKD"], text: str) -> None:
        assert normalized(form, text) == unicodedata.normalize(form, text)

    @pytest.mark.parametrize("form", ["NFC", "NFKD"])
    @pytest.mark.parametrize("hostile", ["\u0315\u0316", "\u0315", "\u0344", "\u1161", "好"])
    def test_a_long_run_of_combining_characters_is_normalized_in_parts(
        self, form: Literal["NFC", "NFKD"], hostile: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To sort a run takes a number of steps in proportion to the square of its length."""
        steps: list[int] = []
        normalize = unicodedata.normalize

        def count(form: Literal["NFC", "NFKD"], text: str) -> str:
            steps.append(len(text) ** 2)
            return normalize(form, text)

        monkeypatch.setattr(unicodedata, "normalize", count)
        counts = []
        for times in (1, 2, 4):
            steps.clear()
            normalized(form, "a" + hostile * 5_000 * times + "\u0316" * 5_000 * times)
            counts.append(sum(steps))
        assert counts[2] <= 2.1 * counts[1] <= 4.5 * counts[0]


class TestMentions:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("@me\u2005hello", ["me"]),
            ("@me hello", ["me"]),
            ("@me", ["me"]),
            ("hello @me", ["me"]),
            ("你好@小明\u2005在吗", ["小明"]),
            ("@小明\n在吗", ["小明"]),
            ("@我 😀\u2005在吗", ["我 😀"]),
            ("@❤️明\u2005在吗", ["❤明"]),
            ("@❤明 在吗", ["❤️明"]),
            ("@爬山队长\u2005", ["爬山队长", "小明"]),
            ("@小明 ", ["爬山队长", "小明"]),
            ("@all @me", ["me"]),
            ("@café ok", ["cafe\u0301"]),
            ("@a.b*c(d)\u2005", ["a.b*c(d)"]),
            ("@ab\u2005\u2005cd\u2005hi", ["ab cd"]),
        ],
    )
    def test_a_name_is_mentioned(self, text: str, names: list[str]) -> None:
        assert is_mentioned(text, names)

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("@media\u2005", ["me"]),
            ("@me.", ["me"]),
            ("me", ["me"]),
            ("@ me", ["me"]),
            ("write to post@me now", ["me"]),
            ("@小明明\u2005", ["小明"]),
            ("@小明\u2005", ["爬山队长"]),
            ("@我\u2005", ["我 😀"]),
            ("@axb\u2005", ["a.b"]),
            ("@\u2005", [""]),
            ("@ ", [" "]),
            ("@me\u2005", []),
        ],
    )
    def test_a_similar_text_is_not_a_mention(self, text: str, names: list[str]) -> None:
        assert not is_mentioned(text, names)

    def test_a_name_beyond_the_maximum_length_is_ignored(self) -> None:
        assert is_mentioned("@" + "a" * LONGEST_NAME, ["a" * LONGEST_NAME])
        assert not is_mentioned("@a" + "a" * LONGEST_NAME, ["a" + "a" * LONGEST_NAME])

    @pytest.mark.parametrize("hostile", ["@a", "@", "a@a", "@a ", "x@ab"])
    def test_a_hostile_text_takes_steps_in_proportion_to_its_length(self, hostile: str) -> None:
        counts = [
            lines_of(partial(is_mentioned, hostile * length, ["a@a@a", "aab", "a@a@a@b"]))
            for length in (500, 1_000, 2_000)
        ]
        assert counts[2] <= 2.5 * counts[1] <= 6.25 * counts[0]


class TestMentionAtTheBeginning:
    @pytest.mark.parametrize(
        ("text", "names", "rest"),
        [
            ("@小明\u2005/help  x\ny", ["小明"], "/help  x\ny"),
            ("@小明", ["小明"], ""),
            ("@Li Lei the rest", ["小明", "Li Lei"], "the rest"),
            ("@Li  Lei\u2005the rest", ["Li Lei"], "the rest"),
            ("@cafe\u0301 rest", ["caf\u00e9"], "rest"),
        ],
    )
    def test_it_is_removed(self, text: str, names: list[str], rest: str) -> None:
        assert without_mention(text, names) == rest

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("/help @小明", ["小明"]),
            ("@小明明 /help", ["小明"]),
            ("@ /help", ["", " "]),
            ("小明 /help", ["小明"]),
            ("", ["小明"]),
            (f"@{'x' * 300} /help", ["x" * 300]),
        ],
    )
    def test_other_texts_stay_unchanged(self, text: str, names: list[str]) -> None:
        assert without_mention(text, names) == text
