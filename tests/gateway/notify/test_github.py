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
        ("fork", {"forkee": {"full_name": "li/r", "html_url": "https://g.example/li/r"}},
         "[o/r] wang forked to li/r\n\nhttps://g.example/li/r"),
        ("check_run", {"action": "completed", "check_run": {
            "name": "lint", "status": "completed", "conclusion": "failure", "html_url": "https://g.example/runs/4",
            "output": {"title": "3 errors"}}},
         "🔴 [o/r] lint: failure\n\n3 errors\nhttps://g.example/runs/4"),
        ("check_suite", {"action": "completed", "check_suite": {
            "conclusion": "success", "head_branch": "main", "app": {"name": "GitHub Actions"}}},
         "🟢 [o/r] GitHub Actions: success\n\nmain"),
        ("workflow_job", {"action": "queued", "workflow_job": {
            "name": "build", "workflow_name": "CI", "status": "queued", "conclusion": None, "head_branch": "main",
            "html_url": "https://g.example/job/1"}},
         "[o/r] CI / build: queued\n\nmain\nhttps://g.example/job/1"),
        ("status", {"state": "error", "context": "ci/jenkins", "description": "Build failed", "sha": "6dcb09b5b57875",
                    "target_url": "https://ci.example/1", "commit": {"commit": {"message": "Fix it\n\nbody"}}},
         "🔴 [o/r] ci/jenkins: error\n\nBuild failed\n6dcb09b Fix it\nhttps://ci.example/1"),
        ("deployment_status", {"deployment": {"environment": "production", "ref": "main"}, "deployment_status": {
            "state": "success", "description": "", "target_url": "https://app.example"}},
         "🟢 [o/r] Deployment to production: success\n\nmain\nhttps://app.example"),
        ("pull_request_review", {"action": "submitted", "pull_request": PULL, "review": {
            "state": "changes_requested", "body": "Please *rename*", "html_url": "https://g.example/3#r1"}},
         "[o/r] wang requested changes to pull request #3: Fix it\n\nPlease rename\nhttps://g.example/3#r1"),
        ("pull_request_review", {"action": "dismissed", "pull_request": PULL, "review": {"state": "dismissed"}},
         "[o/r] wang dismissed a review of pull request #3: Fix it"),
        ("pull_request_review_comment", {"action": "created", "pull_request": PULL, "comment": {
            "body": "typo", "html_url": "https://g.example/3#c1"}},
         "[o/r] wang commented on pull request #3: Fix it\n\ntypo\nhttps://g.example/3#c1"),
        ("commit_comment", {"action": "created", "comment": {"body": "nice", "commit_id": "6dcb09b5b57875"}},
         "[o/r] wang commented on commit 6dcb09b\n\nnice"),
        ("create", {"ref": "feature", "ref_type": "branch"}, "[o/r] wang created branch feature\n\nhttps://g.example/o/r"),
        ("delete", {"ref": "v1", "ref_type": "tag"}, "[o/r] wang deleted tag v1\n\nhttps://g.example/o/r"),
        ("dependabot_alert", {"action": "created", "alert": {
            "html_url": "https://g.example/alert/1", "dependency": {"package": {"name": "requests"}},
            "security_advisory": {"summary": "Leak of headers", "severity": "medium"}}},
         "🟠 [o/r] Dependabot alert created: Leak of headers\n\nrequests, medium\nhttps://g.example/alert/1"),
        ("code_scanning_alert", {"action": "fixed", "alert": {"rule": {"description": "SQL injection"}}},
         "🟢 [o/r] Code scanning alert fixed: SQL injection"),
        ("secret_scanning_alert", {"action": "created", "alert": {"secret_type": "aws_key"}},
         "🔴 [o/r] Secret scanning alert created: aws_key"),
        ("registry_package", {"action": "published", "registry_package": {
            "name": "image", "html_url": "https://g.example/p"}},
         "[o/r] registry_package published\n\nimage\nwang\nhttps://g.example/p"),
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
    assert text == "[g/p] wang pushed 1 commit to main\n\nabcdef0 Commit 0\nhttps://gl.example/g/p/-/commits/main"


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
