"""The glossary, compared with the words of the console and of the page of the phones."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PAGES = (ROOT / "src" / "webwx" / "gateway" / "console", ROOT / "src" / "webwx" / "sandbox" / "phone" / "static")


def test_the_words_of_the_pages_are_those_of_the_glossary() -> None:
    text = (ROOT / "docs" / "topics" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", text.partition("## Words of the pages")[2], re.MULTILINE)
    scripts = "".join(path.read_text(encoding="utf-8") for folder in PAGES for path in sorted(folder.glob("*.js")))
    words = set(re.findall(r'\["([^"]+)", "([^"]+)"\]', scripts))
    assert len(rows) > 5
    assert [row for row in rows[1:] if row not in words] == []


def test_the_chinese_texts_of_the_pages_have_no_developers_words() -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for folder in PAGES for path in sorted(folder.glob("*.js"))}
    found = [
        (name, word) for name, text in scripts.items() for word in ("消费者", "接收器", "死信", "幂等") if word in text
    ]
    assert found == []
