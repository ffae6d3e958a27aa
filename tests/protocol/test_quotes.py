"""Quotes in the form of a plain text: the parts of a text, and texts that only look like a quote."""

from __future__ import annotations

import pytest
from tests.steps import lines_of

from webwx.protocol.quotes import TextQuote, read_text_quote, write_text_quote

LINE = "- - - - - - - - - - - - - - -"


def test_a_quote_is_written_as_clients_expect_it() -> None:
    assert write_text_quote(TextQuote("张三", "在吗", "在")) == f"「张三：在吗」\n{LINE}\n在"


@pytest.mark.parametrize(
    "quote",
    [
        TextQuote("张三", "在吗", "在"),
        TextQuote("张三", "第一行\n第二行", "一\n二"),
        TextQuote("张三", "", "好"),
        TextQuote("A: B", "x", "y"),
        TextQuote("小😀明 Wang", "a：b", "@我\u2005 好"),
        TextQuote("「小」", "他说「好」", "「行」"),
        TextQuote("张三", f"第一行\n{LINE}\n第二行", "好"),
        TextQuote("张三", "没有右括号「", "好"),
        TextQuote("张三", "没有左括号」", "好"),
        TextQuote("张三", f"「李雷：原文」\n{LINE}\n一", "二"),
        TextQuote("张三", f"「李雷：「韩梅梅：原文」\n{LINE}\n一」\n{LINE}\n二", "三"),
        TextQuote("张三", f"「李雷：原「文」\n{LINE}\n一", "二"),
        TextQuote("张三", "原文", f"「李雷：原文」\n{LINE}\n一"),
        TextQuote("张三", "原文", f"看这条线\n{LINE}\n好"),
    ],
    ids=str,
)
def test_a_written_quote_is_read_back(quote: TextQuote) -> None:
    assert read_text_quote(write_text_quote(quote)) == quote


@pytest.mark.parametrize(
    "line",
    [
        LINE, "- - - - -", "-----", "- " * 40,
        "—————", "－ － － － －", "─────", "–––––", "-  -  -  -  -", "\t- - - - - ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_of_five_dashes_or_more_ends_the_quote(line: str, end: str) -> None:
    assert read_text_quote(f"「张三：在吗」{end}{line}{end}在") == TextQuote("张三", "在吗", "在")


def test_an_ascii_colon_with_a_blank_ends_the_name_if_there_is_no_other() -> None:
    assert read_text_quote(f"「Hua: hello」\n{LINE}\nhi") == TextQuote("Hua", "hello", "hi")
    assert read_text_quote(f"「Hua: a\nb：c」\n{LINE}\nhi") == TextQuote("Hua", "a\nb：c", "hi")


@pytest.mark.parametrize(
    "text",
    [
        "", "hi", "「张三：在吗」", "「张三：在吗」在",
        f" 「张三：在吗」\n{LINE}\n在",
        f"\n「张三：在吗」\n{LINE}\n在",
        f"看：「张三：在吗」\n{LINE}\n在",
        "「张三：在吗」\n- - - -\n在",
        f"「张三：在吗」\n{LINE} 在",
        f"「张三：在吗」\n\n{LINE}\n在",
        f"「张三：在吗」 {LINE}\n在",
        f"「张三：在吗\n{LINE}\n在",
        f"「没有名字」\n{LINE}\n在",
        f"「：在吗」\n{LINE}\n在",
        f"「第一行\n张三：在吗」\n{LINE}\n在",
        f"「{'名' * 201}：在吗」\n{LINE}\n在",
        f"「张三：在吗」\n{LINE}\n",
        f"「张三：在吗」\n{LINE}\n \n",
        f"「张三：在吗」\n{LINE}",
        f"『张三：在吗』\n{LINE}\n在",
    ],
)  # fmt: skip
def test_a_text_that_only_looks_like_a_quote_is_none(text: str) -> None:
    assert read_text_quote(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "「" * 300_000, "「a：" + "」\n- - - - -\n" * 25_000, "「a：" + "」" * 300_000,
        "「a：" + "」\n" + "- " * 150_000,
        "「a：" + "」\n- - - - " * 30_000, "「a：" + "」" + " " * 300_000, "「a：" + ("」" + " " * 50) * 6_000,
    ],
    ids=range(7),
)  # fmt: skip
def test_a_hostile_text_takes_few_steps(text: str) -> None:
    assert lines_of(lambda: read_text_quote(text)) < 300_000


def test_the_repr_shows_no_text() -> None:
    assert "张三" not in repr(TextQuote("张三", "在吗", "在"))
