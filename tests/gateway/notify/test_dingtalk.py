"""DingTalk: kinds of messages, mentions and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import quote_plus

import pytest
from tests.gateway.notify.exchange import NOW, TOKEN, post

from webwx.gateway.notify.receiver import ReceiverOptions

TARGET = f"/robot/send?access_token={TOKEN}"
SECRET = "SECthis-is-a-secret-of-a-robot"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"msgtype": "text", "text": {"content": "报警: @138 磁盘已满"},
          "at": {"atMobiles": ["138", "150"], "isAtAll": True}},
         "报警: @138 磁盘已满\n@150 @all"),
        ({"msgtype": "markdown", "markdown": {"title": "杭州天气", "text": "#### 杭州天气\n> 9度, **西北风**"}},
         "杭州天气\n│ 9度, 西北风"),
        ({"msgtype": "markdown", "markdown": {"title": "db1", "text": "disk *full*"}}, "db1\n\ndisk full"),
        ({"msgtype": "link", "link": {"title": "时代的火车", "text": "向前开", "picUrl": "https://x.example/p.png",
                                      "messageUrl": "https://x.example/a"}},
         "时代的火车\n\n向前开\n[图片] https://x.example/p.png\nhttps://x.example/a"),
        ({"msgtype": "actionCard", "actionCard": {"title": "乔布斯", "text": "**苹果**", "singleTitle": "阅读全文",
                                                  "singleURL": "https://x.example/s"}},
         "乔布斯\n\n苹果\n阅读全文 https://x.example/s"),
        ({"msgtype": "actionCard", "actionCard": {"title": "t", "text": "x", "btns": [
            {"title": "同意", "actionURL": "https://x.example/y"}, {"title": "不同意", "actionURL": "https://x.example/n"}]}},
         "t\n\nx\n同意 https://x.example/y\n不同意 https://x.example/n"),
        ({"msgtype": "feedCard", "feedCard": {"links": [
            {"title": "one", "messageURL": "https://x.example/1", "picURL": "p"}, {"title": "two"}]}},
         "one\nhttps://x.example/1\n\ntwo"),
    ],
)  # fmt: skip
def test_a_message_is_rendered(payload: dict[str, Any], text: str) -> None:
    done = post("dingtalk", TARGET, payload)
    assert (text, {"errcode": 0, "errmsg": "ok"}) == (done.text, done.json)
    assert text == post("dingtalk", f"/hooks/dingtalk/{TOKEN}", payload).text


def test_an_unknown_kind_is_refused() -> None:
    assert post("dingtalk", TARGET, {"msgtype": "audio"}).json["errcode"] == 400105


def signed(timestamp: str, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{TARGET}&timestamp={timestamp}&sign={quote_plus(base64.b64encode(digest))}"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (signed(str(int(NOW * 1000))), 0),
        (signed(str(int(NOW * 1000) - 3_500_000)), 0),
        (signed(str(int(NOW * 1000) - 3_700_000)), 310000),
        (signed(str(int(NOW * 1000)), "SECanother"), 310000),
        (signed("x"), 310000),
        (TARGET, 310000),
    ],
)
def test_a_robot_with_a_secret_needs_a_signature_of_this_hour(target: str, code: int) -> None:
    body = {"msgtype": "text", "text": {"content": "a"}}
    assert code == post("dingtalk", target, body, options=ReceiverOptions(secret=SECRET)).json["errcode"]
