"""ntfy: texts, files, headers under all their names, and where the token may be."""

from __future__ import annotations

import base64

import pytest
from tests.gateway.notify.exchange import NOW, TOKEN, post

TARGET = f"/{TOKEN}"


def test_the_body_is_the_text() -> None:
    done = post("ntfy", TARGET, "磁盘已满")
    assert done.text == "磁盘已满"
    assert done.json == {
        "id": "000000000007", "time": int(NOW), "expires": int(NOW) + 43_200, "event": "message", "topic": TOKEN,
        "message": "磁盘已满",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"X-Title": "T", "Priority": "urgent"}, "🔴 T\n\nb"),
        ({"t": "T", "p": "4"}, "🟠 T\n\nb"),
        ({"Title": "=?UTF-8?B?5qCH6aKY?="}, "标题\n\nb"),
        ({"Title": "=?x?B?!?="}, "=?x?B?!?=\n\nb"),
        ({"Tags": "fire,disk, db"}, "🔥 b\nTags: disk, db"),
        ({"Title": "T", "Tags": "warning"}, "⚠️ T\n\nb"),
        ({"Click": "https://x.example"}, "b\nhttps://x.example"),
        ({"Priority": "u=4"}, "b"),
        ({"Priority": "u=4", "X-Priority": "5"}, "🔴 b"),
        ({"Markdown": "yes"}, "b"),
        ({"Attach": "https://x.example/a.jpg"}, "b\nhttps://x.example/a.jpg"),
        (
            {"Actions": "view, Open, https://x.example, clear=true; http, Close, https://y.example"},
            "b\nOpen https://x.example",
        ),
        ({"Actions": '[{"action": "view", "label": "Open", "url": "https://x.example"}]'}, "b\nOpen https://x.example"),
        ({"Message": "one\\ntwo"}, "one\ntwo"),
        ({"X-Cache": "no", "Email": "a@x.example", "Call": "yes"}, "b"),
    ],
)
def test_headers_set_the_fields_of_the_message(headers: dict[str, str], text: str) -> None:
    assert text == post("ntfy", TARGET, "b", headers=headers).text


def test_markdown_is_rendered() -> None:
    assert post("ntfy", TARGET, "**b**", headers={"Content-Type": "text/markdown"}).text == "b"
    assert post("ntfy", f"{TARGET}?md=1", "**b**").text == "b"


def test_the_query_has_the_same_names() -> None:
    assert post("ntfy", f"{TARGET}/publish?message=m&title=T&prio=high", method="GET").text == "🟠 T\n\nm"


def test_a_form_content_type_does_not_matter() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert post("ntfy", TARGET, "a=b&c", headers=headers).text == "a=b&c"


def test_an_empty_message_is_a_trigger() -> None:
    done = post("ntfy", f"{TARGET}/trigger", method="GET")
    assert (done.text, done.json["message"]) == ("triggered", "triggered")


@pytest.mark.parametrize(
    ("headers", "body", "name"),
    [
        ({"Filename": "../a b.log"}, b"short", "a b.log"),
        ({"f": "a\\b.txt"}, b"short", "b.txt"),
        ({}, b"x" * 4097, "attachment.txt"),
        ({}, b"\x00" * (1024 * 1024 + 1), "attachment.bin"),
        ({}, b"\xff\xfe", "attachment.bin"),
    ],
)
def test_a_long_binary_or_named_body_is_a_file(headers: dict[str, str], body: bytes, name: str) -> None:
    done = post("ntfy", TARGET, body, headers={"Message": "see file", **headers}, method="PUT")
    [file] = done.message.files
    assert (done.text, file.name, file.content, done.json["message"]) == ("see file", name, body, "see file")


def test_json_is_published_at_the_root() -> None:
    body = {
        "topic": TOKEN, "message": "m\\n", "title": "T", "tags": ["fire"], "priority": 5, "click": None,
        "actions": [{"action": "view", "label": "Open", "url": "https://x.example"}], "delay": None,
    }  # fmt: skip
    done = post("ntfy", "/", body, headers={"X-Tags": "other"})
    assert done.text == "🔴 🔥 T\n\nm\\n\nOpen https://x.example"
    assert (done.json["priority"], done.json["tags"], done.json["title"]) == (5, ["fire"], "T")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", basic(f"user:{TOKEN}"), basic(f"{TOKEN}:None"), f"Basic {TOKEN}"],
)
def test_a_token_may_be_beside_any_topic(authorization: str) -> None:
    assert post("ntfy", "/alerts", "b", headers={"Authorization": authorization}).text == "b"
    encoded = base64.urlsafe_b64encode(authorization.encode()).decode().rstrip("=")
    assert post("ntfy", f"/alerts?auth={encoded}", "b").text == "b"


def test_a_topic_alone_is_no_token() -> None:
    assert post("ntfy", "/alerts?auth=%ff", "b").answer.status == 401


def test_a_delayed_message_is_refused() -> None:
    done = post("ntfy", TARGET, "b", headers={"In": "30m"})
    assert (done.answer.status, done.json["code"]) == (400, 40004)


def test_health_needs_no_token() -> None:
    assert post("ntfy", "/v1/health", method="GET").json == {"healthy": True}


def test_a_long_text_is_a_text_and_then_the_whole_of_it_a_file() -> None:
    done = post("ntfy", TARGET, "字" * 5_000)
    assert (done.text, done.message.files) == ("字" * 5_000, ())
    assert len(done.json["message"]) == 4096
    long = post("ntfy", TARGET, "字" * 20_000)
    [file] = long.message.files
    assert (long.text, file.name, len(file.content)) == ("字" * 15_800 + "…", "message.txt", 60_000)


def test_a_client_learns_its_account_and_gets_its_token() -> None:
    account = post("ntfy", "/v1/account", method="GET", headers={"Authorization": basic(f"home:{TOKEN}")}).json
    assert (account["username"], account["role"], account["stats"]["messages"]) == ("home", "user", 0)
    for header in (f"Bearer {TOKEN}", f"Basic {TOKEN}"):
        found = post("ntfy", "/v1/account", method="GET", headers={"Authorization": header}).json
        assert found["username"] == "webwx"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    token = post("ntfy", "/v1/account/token", {"label": "x", "expires": 0}, headers=headers)
    assert token.json == {"token": TOKEN, "label": "webwx", "expires": 0}


@pytest.mark.parametrize("path", [f"{TARGET}/auth", f"{TARGET}/json", f"{TARGET}/ws"])
def test_a_topic_cannot_be_subscribed_to(path: str) -> None:
    done = post("ntfy", path, method="GET")
    assert (done.answer.status, done.json["code"], done.json["http"]) == (403, 40301, 403)
    assert set(done.json) == {"code", "http", "error", "link"}
