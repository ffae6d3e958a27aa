"""GitHub, Gitea and GitLab: signatures and a line for each event."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.gateway.notify.exchange import TOKEN, post

from webwx.gateway.notify.receiver import ReceiverOptions

TARGET = f"/hooks/github/{TOKEN}"
BASE: dict[str, Any] = {
    "repository": {"full_name": "o/r", "html_url": "https://g.example/o/r", "stargazers_count": 5},
    "sender": {"login": "wang"},
}
PULL = {"number": 3, "title": "Fix it", "body": "**Now**", "html_url": "https://g.example/3", "merged": True}
COMMITS = [{"id": f"abcdef{n:04}", "message": f"Commit {n}\n\nbody"} for n in range(12)]


@pytest.mark.parametrize(
    ("event", "payload", "text"),
    [
        (
            "push", {"ref": "refs/heads/main", "commits": COMMITS[:2], "pusher": {"name": "wang"}, "compare": "https://g.example/c"},
            "[o/r] wang pushed 2 commits to main\n\nabcdef0 Commit 0\nabcdef0 Commit 1\nhttps://g.example/c",
        ),
        ("push", {"ref": "refs/tags/v1", "commits": [], "deleted": True}, "[o/r] wang deleted v1"),
        ("pull_request", {"action": "opened", "pull_request": PULL},
         "[o/r] wang opened pull request #3: Fix it\n\nNow\nhttps://g.example/3"),
        ("pull_request", {"action": "closed", "pull_request": PULL},
         "[o/r] wang merged pull request #3: Fix it\n\nhttps://g.example/3"),
        ("issues", {"action": "closed", "issue": {"number": 1, "title": "t"}}, "[o/r] wang closed issue #1: t"),
        ("issue_comment", {"action": "created", "issue": {"number": 1, "title": "t"}, "comment": {"body": "c" * 1200}},
         f"[o/r] wang commented on #1: t\n\n{'c' * 1000}…"),
        ("release", {"action": "published", "release": {"tag_name": "v1", "html_url": "https://g.example/v1"}},
         "[o/r] wang published release v1\n\nhttps://g.example/v1"),
        ("workflow_run",
         {"workflow_run": {"name": "CI", "run_number": 9, "conclusion": "failure", "head_branch": "main",
                           "display_title": "x"}},
         "🔴 [o/r] CI #9: failure\n\nmain x"),
        ("star", {"action": "created"}, "[o/r] wang starred (5 stars)\n\nhttps://g.example/o/r"),
        ("discussion", {"action": "created", "discussion": {"number": 2, "title": "d", "body": "b"}},
         "[o/r] wang created discussion #2: d\n\nb"),
        ("fork", {}, "[o/r] fork\n\nwang\nhttps://g.example/o/r"),
        ("label", {"action": "edited"}, "[o/r] label edited\n\nwang\nhttps://g.example/o/r"),
    ],
)  # fmt: skip
def test_an_event_is_rendered(event: str, payload: dict[str, Any], text: str) -> None:
    done = post("github", TARGET, {**BASE, **payload}, headers={"x-github-event": event, "x-github-delivery": "d1"})
    assert text == done.text
    assert done.notification is not None
    assert done.notification.idempotency_key == "d1"


def test_a_long_push_is_shortened() -> None:
    body = {**BASE, "ref": "refs/heads/main", "commits": COMMITS}
    assert "… and 2 more" in post("github", TARGET, body, headers={"x-github-event": "push"}).text


def test_a_ping_is_answered_and_not_sent() -> None:
    done = post("github", TARGET, {"zen": "z"}, headers={"x-github-event": "ping"})
    assert (done.notification, done.answer.body) == (None, b"pong")


def test_a_form_holds_the_payload() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-github-event": "star"}
    assert "starred" in post("github", TARGET, urlencode({"payload": json.dumps(BASE)}), headers=headers).text


def test_a_request_without_an_event_is_refused() -> None:
    assert post("github", TARGET, BASE).answer.status == 422


def test_gitlab_is_read() -> None:
    body = {
        "object_kind": "push", "ref": "refs/heads/main", "user_username": "wang", "commits": COMMITS[:1],
        "project": {"path_with_namespace": "g/p", "web_url": "https://gl.example/g/p"},
    }  # fmt: skip
    text = post("github", TARGET, body, headers={"x-gitlab-event": "Push Hook"}).text
    assert text == "[g/p] wang pushed 1 commit to main\n\nabcdef0 Commit 0"


BODY = json.dumps(BASE).encode()
SIGNATURE = hmac.new(b"s", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-hub-signature-256": f"sha256={SIGNATURE}"}, 200),
        ({"x-gitea-signature": SIGNATURE}, 200),
        ({"x-gitlab-token": "s"}, 200),
        ({"x-hub-signature-256": f"sha256={SIGNATURE[:-1]}x"}, 401),
        ({"x-gitlab-token": "x"}, 401),
        ({}, 401),
    ],
)
def test_a_secret_refuses_requests_without_a_valid_signature(headers: dict[str, str], status: int) -> None:
    options = ReceiverOptions(secret="s")
    done = post("github", TARGET, BODY, headers={"x-github-event": "star", **headers}, options=options)
    assert status == done.answer.status
