"""Feishu: texts, posts, cards and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from tests.gateway.notify.exchange import NOW, TOKEN, post

from webwx.gateway.notify.receiver import ReceiverOptions

TARGET = f"/open-apis/bot/v2/hook/{TOKEN}"
SECRET = "this-is-a-secret-of-a-bot"
CARD: dict[str, Any] = {
    "header": {"title": {"tag": "plain_text", "content": "磁盘已满"}, "template": "red"},
    "elements": [
        {"tag": "div", "text": {"tag": "lark_md", "content": "**db1** <at id=all></at>"},
         "fields": [{"is_short": True, "text": {"tag": "lark_md", "content": "**Used**\n95 %"}}],
         "extra": {"tag": "button", "text": {"tag": "plain_text", "content": "More"}, "url": "https://x.example/m"}},
        {"tag": "hr"},
        {"tag": "markdown", "content": "[Graph](https://x.example/g)"},
        {"tag": "img", "img_key": "k", "alt": {"tag": "plain_text", "content": "graph"}},
        {"tag": "column_set", "columns": [{"tag": "column", "elements": [{"tag": "markdown", "content": "*c*"}]}]},
        {"tag": "action", "actions": [
            {"tag": "button", "text": {"tag": "plain_text", "content": "Silence"}, "url": "https://x.example/s"},
            {"tag": "button", "text": {"tag": "plain_text", "content": "No address"}}]},
        {"tag": "note", "elements": [{"tag": "plain_text", "content": "from"}, {"tag": "lark_md", "content": "*ops*"}]},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"msg_type": "text", "content": {"text": "新更新提醒"}}, "新更新提醒"),
        ({"msg_type": "text", "content": {"text": '<at user_id="all">所有人</at> up'}}, "@所有人 up"),
        ({"msg_type": "post", "content": {"post": {"zh_cn": {"title": "项目更新", "content": [
            [{"tag": "text", "text": "有更新: "}, {"tag": "a", "text": "请查看", "href": "https://x.example"},
             {"tag": "at", "user_id": "all", "user_name": "所有人"}],
            [{"tag": "img", "image_key": "k"}], [{"tag": "hr"}], [{"tag": "md", "text": "**b**"}]]}}}},
         "项目更新\n\n有更新: 请查看 https://x.example@所有人\n[图片]\n————\nb"),
        ({"msg_type": "interactive", "card": CARD},
         "🔴 磁盘已满\n\ndb1 @\nUsed\n95 %\nMore https://x.example/m\n————\n"
         "Graph https://x.example/g\n[图片] graph\nc\n"
         "Silence https://x.example/s\nfrom ops"),
        ({"msg_type": "interactive", "card": {"schema": "2.0", "body": {"elements": [
            {"tag": "button", "text": {"tag": "plain_text", "content": "Open"},
             "behaviors": [{"type": "open_url", "default_url": "https://x.example/o"}]}]},
            "header": {"title": {"content": "t"}, "subtitle": {"content": "s"}, "template": "green"}}},
         "🟢 t\n\ns\nOpen https://x.example/o"),
        ({"title": "old", "text": "form"}, "old\n\nform"),
    ],
)  # fmt: skip
def test_a_message_is_rendered(payload: dict[str, Any], text: str) -> None:
    done = post("feishu", TARGET, payload)
    assert (text, 0) == (done.text, done.json["code"])


def test_a_picture_alone_and_a_deep_card_are_no_failure() -> None:
    done = post("feishu", TARGET, {"msg_type": "image", "content": {"image_key": "k"}})
    assert (done.answer.status, done.json["code"]) == (400, 9499)
    card: dict[str, Any] = {"tag": "markdown", "content": "deep"}
    for _ in range(20):
        card = {"tag": "column_set", "elements": [card]}
    body = {"msg_type": "interactive", "card": {"header": {"title": {"content": "t"}}, "elements": [card]}}
    assert post("feishu", TARGET, body).text == "t"


def signed(timestamp: int, secret: str = SECRET) -> dict[str, Any]:
    sign = base64.b64encode(hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()
    return {"timestamp": str(timestamp), "sign": sign, "msg_type": "text", "content": {"text": "a"}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (signed(int(NOW)), 0),
        (signed(int(NOW) - 3700), 19021),
        (signed(int(NOW), "another"), 19021),
        ({"msg_type": "text", "content": {"text": "a"}}, 19021),
    ],
)
def test_a_bot_with_a_secret_needs_a_signature_of_this_hour(body: dict[str, Any], code: int) -> None:
    assert code == post("feishu", TARGET, body, options=ReceiverOptions(secret=SECRET)).json["code"]
