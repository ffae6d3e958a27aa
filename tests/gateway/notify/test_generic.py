"""Generic JSON: usual names, templates, texts, forms, and signatures."""

from __future__ import annotations

import base64

import pytest
from tests.gateway.notify.exchange import MULTIPART, TOKEN, multipart, post

from webwx.gateway.notify.receiver import ReceiverOptions
from webwx.gateway.notify.template import parse_template

TARGET = f"/hooks/json/{TOKEN}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"subject": "S", "msg": "m", "other": 1}, "S\n\nm"),
        ({"event": "E"}, "E"),
        ({"a": {"b": 1}}, '{\n  "a": {\n    "b": 1\n  }\n}'),
        ([1, 2], "[\n  1,\n  2\n]"),
        ("only text", "only text"),
        (5, "5"),
        ({"a": "x" * 2000}, '{\n  "a": "' + "x" * 1490 + "…"),
    ],
)
def test_usual_field_names_are_found(body: object, text: str) -> None:
    assert text == post("json", TARGET, body).text


def test_a_template_shapes_the_message() -> None:
    options = ReceiverOptions(template=parse_template("{{ build.name }}: {{ build.state }}"))
    assert post("json", TARGET, {"build": {"name": "web", "state": "ok"}}, options=options).text == "web: ok"


def test_a_text_is_sent_unchanged() -> None:
    assert post("json", f"{TARGET}?title=T", "any text", headers={"content-type": "text/plain"}).text == "T\n\nany text"


def test_a_form_and_its_files_are_read() -> None:
    done = post("json", TARGET, multipart({"text": "t"}, {"f": ("a.txt", b"a")}), headers=MULTIPART)
    assert (done.text, done.message.files[0].name) == ("t", "a.txt")


def test_a_get_is_read_where_that_is_allowed() -> None:
    assert post("json", f"{TARGET}?text=t", method="GET").answer.status == 403
    assert post("json", f"{TARGET}?text=t", method="GET", options=ReceiverOptions(allows_get=True)).text == "t"


def test_with_a_secret_a_signature_is_needed() -> None:
    options = ReceiverOptions(secret="whsec_" + base64.b64encode(b"k" * 24).decode())
    assert post("json", TARGET, {"text": "t"}, options=options).answer.status == 401
