"""The documentation site: pages rewritten for its generator, and what the checker of the built pages finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripts.site.check import problems
from scripts.site.markdown import Page, Target, ids_of, staged

if TYPE_CHECKING:
    from pathlib import Path


def page(text: str, place: str = "howto/page.md", **ids: str) -> str:
    """Return a page as it stands in the site, which has the pages of docs/ except for the README."""

    def link(target: str) -> Target | None:
        return Target(target.removeprefix("docs/"), ids) if target.startswith("docs/") else None

    return staged(Page(f"docs/{place}", place, text), link=link)


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        ("```python", "```python"),
        ("```python bot.py", '``` python title="bot.py"'),
        ("```python no-run", "```python"),
        ("```sh restore", "```sh"),
        ("````markdown", "````markdown"),
    ],
)
def test_what_follows_the_language_of_a_code_block_is_its_title_or_dropped(opening: str, expected: str) -> None:
    end = "`" * opening.count("`")
    assert page(f"{opening}\n# no heading\n{end}\n") == f"{expected}\n# no heading\n{end}\n"


def test_what_belongs_to_an_item_is_indented_by_four_spaces() -> None:
    text = "1. Run it:\n\n   ```sh\n   webwx login\n     --host web\n   ```\n\n   - one\n     more\n\nAfter it.\n"
    assert page(text) == (
        "1. Run it:\n\n    ```sh\n    webwx login\n      --host web\n    ```\n\n    - one\n        more\n\nAfter it.\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](../topics/login.md#hosts)", "[a](../topics/login.md#hosts)"),
        ("[a](other.md)", "[a](other.md)"),
        ("[a](../../src/webwx/errors.py)", "a"),
        ("[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
        ("`[a](../../README.md)`", "`[a](../../README.md)`"),
        ("![a](../images/phone.png)", "![a](../images/phone.png)"),
        ("[a](#here)", "[a](#there)"),
        ("[中文版](page.zh.md)", ""),
    ],
)
def test_links_lead_to_pages_of_the_site_or_are_text(text: str, expected: str) -> None:
    assert page(f"{text}\n", here="there").strip() == expected


def test_lines_of_a_chinese_paragraph_are_joined_without_a_space() -> None:
    text = "第一句。\n第二句。\n\n- 一\n- 二\n\n**粗体。**\n第三句。\n"
    assert page(text) == "第一句。第二句。\n\n- 一\n- 二\n\n**粗体。**\n第三句。\n"


def test_headings_of_a_translation_have_the_ids_of_the_original() -> None:
    original = "# Test a bot\n\n## Send `it`\n\n## Send it\n"
    assert ids_of(original) == ["test-a-bot", "send-it", "send-it_1"]
    translated = staged(Page("docs/a.zh.md", "a.md", "# 测试\n\n## 发送\n"), link=lambda _: None, ids=["one", "two"])
    assert translated == "# 测试 { #one }\n\n## 发送 { #two }\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="b/">b</a> <a href="b/#there">b</a> <a href="#here" id="here">a</a>', None),
        ('<a href="c/">c</a>', "the link c/ leads to no page."),
        ('<a href="b/#absent">b</a>', "the link b/#absent leads to no heading."),
        ('<img src="absent.png">', "the link absent.png leads to no page."),
        ('<script src="https://example.org/a.js"></script>', "the browser requests https://example.org/a.js."),
        ('<a href="https://example.org/">elsewhere</a>', None),
        ("<p>```python bot.py</p>", "a code block is not closed, or was not recognised."),
        ("<code>```</code>", None),
    ],
)
def test_the_checker_finds_what_is_wrong_in_a_built_page(tmp_path: Path, body: str, problem: str | None) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/index.html").write_text('<h2 id="there">b</h2>')
    (tmp_path / "index.html").write_text(body)
    assert problems(tmp_path) == ([] if problem is None else [f"index.html: {problem}"])
