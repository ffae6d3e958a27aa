"""Markdown, HTML and mrkdwn as readable plain text, in bounded time."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from webwx.gateway.notify.render import LONGEST_SOURCE, clean, html_text, markdown_text, mrkdwn_text, one_line

LONG = "https://example.com/" + "a" * 60


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("# One\nafter\n## Two\n\n### Three", "【One】\nafter\n\n【Two】\n\nThree"),
        ("**bold** *it* __b__ _i_ ~~gone~~ `code`", "bold it b i gone code"),
        ("```sh\nls -l\n\n  df\n```", "  ls -l\n\n    df"),
        ("- a\n- b\n  - c\n\n1. x\n2. y", "• a\n• b\n  • c\n\n1. x\n2. y"),
        ("3. x\n4. y", "3. x\n4. y"),
        ("- a\n\n- b", "• a\n\n• b"),
        ("> quoted\n> more\n\nafter", "│ quoted\n│ more\n\nafter"),
        ("[docs](https://x.example)", "docs https://x.example"),
        (f"see [docs]({LONG}) now", f"see docs\n{LONG}\nnow"),
        ("<https://x.example>", "https://x.example"),
        ("![chart](https://x.example/a.png)", "[图片] https://x.example/a.png"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | |", "a: 1 | b: 2\na: 3"),
        ("| a | b |\n|---|---|", "a | b"),
        ('State: <font color="info">OK</font>', "State: OK"),
        ("a<br>b", "a\nb"),
        ("one\n\ntwo\nthree", "one\n\ntwo\nthree"),
        ("&lt;b&gt; &amp; 5 < 6", "<b> & 5 < 6"),
        ("<script>alert(1)</script>\n\nafter", "after"),
        ("a\n\n---\n\nb", "a\n\n————\nb"),
        ("", ""),
    ],
)
def test_markdown_becomes_readable(source: str, text: str) -> None:
    assert text == markdown_text(source).text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("a<br/>b&nbsp;&amp;&lt;", "a\nb\xa0&<"),
        ("<h1>T</h1><div>x   y\n z</div>", "【T】\nx y z"),
        ("<style>p{}</style><script>x</script><b>k</b>", "k"),
        ("<title>t</title><head><meta></head>k", "k"),
        ("<ul><li>a<li>b</ul>", "• a\n• b"),
        ("<ol><li><p>a</p></li><li>b</li></ol>", "1. a\n2. b"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a: 1 | b: 2"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 | 2"),
        ('<a href="https://x.example">x</a>', "x https://x.example"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="#top">x</a>', "x"),
        ("<blockquote><p>a</p><ul><li>b</li></ul></blockquote>c", "│ a\n│ • b\nc"),
        ("<pre>a\n  b</pre>c", "  a\n    b\nc"),
        ('<img alt="chart" src="https://x.example/a.png">', "[图片] https://x.example/a.png"),
        ('<img alt="chart" src="data:text/html,x">', "[图片] chart"),
        ("a<!-- <b>no</b> -->b<!-- open", "ab"),
        ("5 < 6 <b>x</b>", "5 < 6 x"),
        ("<li>a", "• a"),
        ("no markup", "no markup"),
    ],
)
def test_html_becomes_readable(source: str, text: str) -> None:
    assert text == html_text(source).text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("*bold* _it_ ~gone~ `co*d*e`", "bold it gone co*d*e"),
        ("<https://x.example|label> <https://x.example>", "label https://x.example https://x.example"),
        ("<https://x.example/a_b_c|l> _i_", "l https://x.example/a_b_c i"),
        (f"<{LONG}|label>", f"label\n{LONG}"),
        ("<mailto:a@x.example|a@x.example>", "a@x.example"),
        ("<@U1> <!here> <!channel> <#C1|general> <!date^1^x|today>", "@U1 @here @channel #general today"),
        ("&lt;b&gt; &amp;", "<b> &"),
        ("```\nls *a*\n```\nafter", "  ls *a*\n\nafter"),
        ("a ``` b", "a ``` b"),
        ("&gt; quoted\n> too", "│ quoted\n│ too"),
        (":fire: :unknown_code:", "🔥 :unknown_code:"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("a\x00<https://x.example|l>", "al https://x.example"),
    ],
)
def test_mrkdwn_becomes_readable(source: str, text: str) -> None:
    assert text == mrkdwn_text(source)


def test_a_picture_in_the_source_becomes_a_file() -> None:
    uri = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
    rendered = markdown_text(f"![chart]({uri})")
    assert (
        rendered.text,
        [(picture.name, picture.content, picture.media_type) for picture in rendered.pictures],
    ) == ("", [("picture-1.png", b"\x89PNG", "image/png")])
    assert html_text('<img src="data:image/png;base64,!">').text == "[图片]"


def test_text_is_cleaned() -> None:
    assert clean("a  \r\nb\n\n\n\n\n\nc\x07\n\n") == "a\nb\n\n\nc"
    assert one_line(" a\r\n b ") == "a b"


def test_a_long_source_is_not_parsed() -> None:
    source = "*" * (LONGEST_SOURCE + 1)
    assert source == markdown_text(source).text == html_text(source).text == mrkdwn_text(source)


def test_six_levels_are_indented() -> None:
    assert markdown_text("> " * 10 + "a").text == "│ " * 6 + "a"
    assert html_text("<blockquote>" * 10 + "a").text == "│ " * 6 + "a"


def test_reference_links_do_not_multiply_an_address() -> None:
    source = f"[a]: https://x.example/{'b' * 8000}\n\n" + "[a] " * 4000
    assert len(markdown_text(source).text) < 2 * len(source)


N = LONGEST_SOURCE
HOSTILE = [
    "[" * N, "[a](" * (N // 4), "*a " * (N // 3), "*" * (N - 1) + "a", ">" * N, "> a\n" * (N // 4), "`a" * (N // 2),
    "".join("  " * depth + "- a\n" for depth in range(250)), "".join("`" * n + " " for n in range(250)),
    "<" * N, "<a " * (N // 3), "<a>" * (N // 3), "&" * N, "![" * (N // 2), "- " * (N // 2), "*_" * (N // 2),
    "<!" * (N // 2), "<!--" * (N // 4), "</" * (N // 2), "<b " + "a=" * (N // 3), "<table>" * (N // 7),
    "<td>" * (N // 4), "<ul><li>" * (N // 8), "<blockquote>a" * (N // 13), "<li>a</li>" * (N // 10),
    "a\n" * (N // 2), "a" + " " * (N - 2) + "b", "<pre>" * (N // 6) + "\n",
    "|" * 200 + "\n" + "|-" * 200 + "\na\n" * 999,
    "<https:" * (N // 7), "`" * N, "```" * (N // 3), "~a" * (N // 2), ":a" * (N // 2), "\r" * N, "<p>" * (N // 3),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("render", [markdown_text, html_text, mrkdwn_text])
def test_hostile_input_takes_bounded_time_and_room(render: object, number: int) -> None:
    assert callable(render)
    source = HOSTILE[number][:LONGEST_SOURCE]
    start = time.process_time()
    rendered = render(source)
    # Processor time of this process: a busy machine does not count. Quadratic behaviour takes minutes here.
    assert time.process_time() - start < 5
    assert len(rendered if isinstance(rendered, str) else rendered.text) <= 20 * LONGEST_SOURCE


MARKUP = some.text(
    alphabet=some.sampled_from(list("ab \n*_~`#>-+1.|[]()<>!&;:/\\\"'=@\u5b57")) | some.characters(), max_size=200
)


@given(MARKUP)
def test_any_text_can_be_rendered(source: str) -> None:
    for text in (markdown_text(source).text, html_text(source).text, mrkdwn_text(source)):
        assert clean(text) == text
        assert "\x00" not in text


@given(some.text(alphabet=some.characters(categories=["L", "N"]), min_size=1, max_size=100))
def test_a_text_without_markup_is_not_changed(source: str) -> None:
    assert source == markdown_text(source).text == html_text(source).text == mrkdwn_text(source)


@given(MARKUP)
def test_cleaning_twice_changes_nothing(source: str) -> None:
    assert clean(source) == clean(clean(source))
