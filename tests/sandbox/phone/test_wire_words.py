from __future__ import annotations

from webwx.sandbox.phone.wire_page import wire_page
from webwx.sandbox.phone.wire_words import CHINESE


def test_no_chinese_text_is_unused() -> None:
    page = wire_page().decode().replace("<code>", "`").replace("</code>", "`")
    assert [english for english in CHINESE if english not in page] == []
