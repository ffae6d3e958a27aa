"""PushPlus: its templates."""

from __future__ import annotations

import pytest
from tests.gateway.notify.exchange import TOKEN, post


@pytest.mark.parametrize(
    ("template", "content", "text"),
    [
        ("html", "<b>a</b><br>c", "a\nc"),
        (None, "a\nb", "a\nb"),
        ("html", "a &lt; b", "a < b"),
        ("txt", "<b>a</b>", "<b>a</b>"),
        ("markdown", "# a\n**b**", "【a】\nb"),
        ("json", '{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'),
        ("json", "no json", "no json"),
        ("cloudMonitor", {"a": 1}, '{\n  "a": 1\n}'),
        ("html", 5, "5"),
    ],
)
def test_a_template_shapes_the_content(template: object, content: object, text: str) -> None:
    body = {"token": TOKEN, "title": "T", "content": content, "template": template, "topic": None}
    assert f"T\n\n{text}" == post("pushplus", "/send", body).text


def test_query_and_form_are_read() -> None:
    assert post("pushplus", f"/send?token={TOKEN}&content=c", method="GET").text == "c"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert post("pushplus", f"/send/{TOKEN}", "content=c", headers=form).text == "c"
