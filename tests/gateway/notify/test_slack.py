"""Slack: blocks, attachments, and the two forms of body."""

from __future__ import annotations

import json

import pytest
from tests.gateway.notify.exchange import TOKEN, post

TARGET = f"/hooks/slack/{TOKEN}"
MRKDWN = {"type": "mrkdwn", "text": "*b* <https://x.example|l>"}
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": "https://y.example"}


def test_the_token_is_the_three_parts_of_the_path() -> None:
    done = post("slack", f"/services/{TOKEN[:9]}/{TOKEN[9:18]}/{TOKEN[18:]}", {"text": "a"})
    assert (done.text, done.answer.body, done.answer.headers["content-type"]) == (
        "a",
        b"ok",
        "text/plain; charset=utf-8",
    )


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"text": "*b* :fire:"}, "b 🔥"),
        ({"text": "fallback", "blocks": [{"type": "section", "text": MRKDWN}]}, "b l https://x.example"),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "H"}}, {"type": "divider"},
                        {"type": "section", "fields": [{"type": "mrkdwn", "text": "a"}], "accessory": BUTTON},
                        {"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}, {"text": "d"}]},
                        {"type": "image", "image_url": "https://x.example/i.png", "alt_text": "i"},
                        {"type": "actions", "elements": [BUTTON, {"type": "button", "text": {"text": "x"}}]}]},
            "【H】\n————\na\nOpen https://y.example\nc d\n[图片] https://x.example/i.png\nOpen https://y.example",
        ),
        (
            {"attachments": [{"pretext": "p", "title": "t", "title_link": "https://x.example", "text": "x",
                              "color": "danger", "footer": "f",
                              "fields": [{"title": "k", "value": "v"}, {"value": "w"}]}]},
            "🔴 p\n【t】\nhttps://x.example\nx\nk: v\nw\nf",
        ),
        ({"text": "a", "attachments": [{"fallback": "only"}, {"color": "good", "text": "z"}]}, "🟢 a\n\nonly\n\nz"),
        (
            {"blocks": [{"type": "rich_text", "elements": [
                {"type": "rich_text_section", "elements": [
                    {"type": "text", "text": "t "}, {"type": "link", "url": "https://x.example", "text": "l"},
                    {"type": "emoji", "name": "fire", "unicode": "1f525"}, {"type": "emoji", "name": "own"},
                    {"type": "emoji", "name": "bad", "unicode": "zz"},
                    {"type": "user", "user_id": "U1"}, {"type": "channel", "channel_id": "C1"}]},
                {"type": "rich_text_list", "style": "ordered", "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]}]},
                {"type": "rich_text_list", "style": "bullet", "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]}]},
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "a\nb"}]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "q"}]}]}]},
            "t l https://x.example🔥:own::bad:@U1#C1\n1. one\n• two\n  a\n  b\n│ q",
        ),
    ],
)  # fmt: skip
def test_a_payload_becomes_text(payload: object, text: str) -> None:
    assert text == post("slack", TARGET, payload).text


def test_a_form_holds_the_payload() -> None:
    body = "payload=" + json.dumps({"text": "a"})
    assert post("slack", TARGET, body, headers={"content-type": "application/x-www-form-urlencoded"}).text == "a"


def test_deep_rich_text_ends() -> None:
    shown = []
    for depth in (7, 8, 30):
        element: dict[str, object] = {"type": "text", "text": "deep"}
        for _ in range(depth):
            element = {"type": "rich_text_section", "elements": [element]}
        done = post("slack", TARGET, {"text": "a", "blocks": [{"type": "rich_text", "elements": [element]}]})
        shown.append("deep" in done.text)
    assert shown == [True, False, False]


ROWS = [
    [{"type": "raw_text", "text": "host"}, {"type": "raw_text", "text": "state"}],
    [
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "link", "text": "db1", "url": "https://x.example"}]}]},
        {"type": "raw_text", "text": ":red_circle: down"}, {"type": "raw_text", "text": "since 10:30"},
    ],
    [{"type": "raw_text", "text": "db2"}, {"type": "raw_text", "text": ""}],
]  # fmt: skip


def test_a_table_has_a_line_for_each_row() -> None:
    done = post("slack", TARGET, {"blocks": [{"type": "table", "rows": ROWS}]})
    assert done.text == "host: db1 https://x.example | state: 🔴 down | since 10:30\nhost: db2"
    assert post("slack", TARGET, {"blocks": [{"type": "table", "rows": ROWS[:1]}]}).text == "host | state"
    assert post("slack", TARGET, {"text": "a", "blocks": [{"type": "table", "rows": 1}]}).text == "a"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "header", "text": {"type": "plain_text", "text": ":rotating_light: Alert"}}, "【🚨 Alert】"),
        ({"type": "section", "text": {"type": "plain_text", "text": ":wave::skin-tone-2: :own:"}}, "👋 :own:"),
        ({"type": "actions", "elements": [{**BUTTON, "text": {"type": "plain_text", "text": ":eyes: Open"}}]},
         "👀 Open https://y.example"),
        ({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "emoji", "name": "fire"}, {"type": "text", "text": " "}, {"type": "emoji", "name": "own"},
            {"type": "date", "timestamp": 1720710212, "fallback": " at noon"}]}]}, "🔥 :own: at noon"),
        ({"type": "markdown", "text": "**b** and `c`"}, "b and c"),
        ({"type": "video", "title": {"type": "plain_text", "text": "Clip"}, "video_url": "https://x.example/v"},
         "Clip\nhttps://x.example/v"),
    ],
)  # fmt: skip
def test_names_of_emoji_and_other_blocks_are_readable(block: dict[str, object], text: str) -> None:
    assert post("slack", TARGET, {"blocks": [block]}).text == text


def test_json_is_read_without_its_media_type() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert post("slack", TARGET, '{"text": "a"}', headers=headers).text == "a"
