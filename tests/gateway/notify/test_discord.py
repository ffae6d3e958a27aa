"""Discord: content, embeds, files, and messages of Slack and GitHub."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.gateway.notify.exchange import MULTIPART, TOKEN, multipart, post, refused

from webwx.gateway.notify.discord import severity_of
from webwx.gateway.notify.notification import Severity
from webwx.gateway.notify.refusal import RefusalReason

TARGET = f"/api/webhooks/{TOKEN[:10]}/{TOKEN[10:]}"
EMBED = {
    "title": "Deploy", "url": "https://x.example/d", "description": "**Version 7**", "color": 0xED4245,
    "author": {"name": "ops"}, "fields": [{"name": "Host", "value": "`db1`", "inline": True}],
    "image": {"url": "https://x.example/i.png"}, "footer": {"text": "nightly"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"content": "**hello** <@1>", "username": "bot"}, "hello <@1>"),
        ({"embeds": [EMBED]},
         "🔴 ops\n【Deploy】\nhttps://x.example/d\nVersion 7\nHost: db1\n[图片] https://x.example/i.png\nnightly"),
        ({"content": "two", "embeds": [{"description": "a"}, {"title": "b", "color": 0x57F287}]},
         "🟢 two\n\na\n\n【b】"),
    ],
)  # fmt: skip
def test_a_message_is_rendered(payload: dict[str, Any], text: str) -> None:
    done = post("discord", TARGET, payload)
    assert (text, 204, b"") == (done.text, done.answer.status, done.answer.body)


def test_a_client_that_waits_gets_the_message() -> None:
    done = post("discord", f"{TARGET}?wait=true", {"content": "a"})
    assert (done.answer.status, done.json["content"], done.json["id"]) == (200, "a", "7")


def test_files_and_forms_are_read() -> None:
    body = multipart({"payload_json": json.dumps({"content": "see"})}, {"files[0]": ("a.log", b"log")})
    done = post("discord", TARGET, body, headers=MULTIPART)
    assert (done.text, [file.content for file in done.message.files]) == ("see", [b"log"])
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert post("discord", TARGET, "content=a+b", headers=form).text == "a b"


def test_messages_of_slack_and_github_are_read() -> None:
    done = post("discord", f"{TARGET}/slack", {"text": "*a*"})
    assert (done.text, done.answer.body) == ("a", b"ok")
    event = {"sender": {"login": "wang"}, "ref": "v1", "ref_type": "tag"}
    assert (
        post("discord", f"{TARGET}/github", event, headers={"x-github-event": "create"}).text == "wang created tag v1"
    )


def test_a_rate_limit_has_discords_form() -> None:
    answer = json.loads(post("discord", TARGET, {"content": ""}).answer.body)
    assert answer["code"] == 50006
    limited = refused("discord", TARGET, RefusalReason.RATE_LIMITED, retry_after=3)
    assert (limited.status, json.loads(limited.body)["retry_after"]) == (429, 3)


@pytest.mark.parametrize(
    ("color", "severity"),
    [
        (0xFF0000, Severity.CRITICAL), (0xE74C3C, Severity.CRITICAL), (0xE67E22, Severity.WARNING),
        (0xFEE75C, Severity.WARNING), (0x2ECC71, Severity.GOOD), (0x5865F2, Severity.NONE), (0, Severity.NONE),
        (0xFFFFFF, Severity.NONE),
    ],
)  # fmt: skip
def test_a_colour_has_a_severity(color: int, severity: Severity) -> None:
    assert severity is severity_of(color)
