"""Bark: JSON, short addresses, and several device keys."""

from __future__ import annotations

import pytest
from tests.gateway.notify.exchange import NOW, TOKEN, post


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (f"/{TOKEN}/body", "body"),
        (f"/{TOKEN}/title/b%20c", "title\n\nb c"),
        (f"/{TOKEN}/title/sub/body", "title\n\nsub\nbody"),
        (f"/{TOKEN}?Title=T&BODY=b&url=https://x.example", "T\n\nb\nhttps://x.example"),
        (f"/hooks/bark/{TOKEN}/title/body?level=critical", "🔴 title\n\nbody"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_short_address_is_a_message(method: str, target: str, text: str) -> None:
    assert text == post("bark", target, method=method).text


def test_the_body_of_a_get_is_read() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert post("bark", f"/{TOKEN}", "title=T&body=a+b", method="GET", headers=headers).text == "T\n\na b"


def test_markdown_replaces_the_body() -> None:
    done = post(
        "bark", "/push", {"device_key": TOKEN, "body": "b", "markdown": "**m**", "image": "https://x.example/i"}
    )
    assert done.text == "m\nhttps://x.example/i"


def test_an_encrypted_message_is_refused() -> None:
    done = post("bark", "/push", {"device_key": TOKEN, "ciphertext": "x"})
    assert (done.answer.status, done.json["code"]) == (400, 400)


@pytest.mark.parametrize("keys", [[TOKEN, "other"], f"{TOKEN}, other"])
def test_the_answer_names_the_used_one_of_several_keys(keys: object) -> None:
    done = post("bark", "/push", {"device_keys": keys, "body": "b"})
    assert done.json["data"] == [
        {"device_key": TOKEN, "code": 200},
        {"device_key": "other", "code": 404, "message": "a request reaches one receiver"},
    ]


def test_ping_and_information_need_no_key() -> None:
    assert post("bark", "/ping", method="GET").json == {"code": 200, "message": "pong", "timestamp": int(NOW)}
    assert post("bark", "/info", method="GET").json["version"] == "webwx"
