"""GitLab: what each event says, with its state, title and address."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gateway.notify.exchange import TOKEN, post

WEB = "https://gl.example/g/p"
PROJECT = {"path_with_namespace": "g/p", "web_url": WEB}
USER = {"name": "Wang", "username": "wang"}
BEFORE, AFTER = "95790bf891e76fee5e1747ab589903a6a1f80f22", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
NOTHING = "0" * 40
COMMIT = {"id": AFTER, "title": "Fix it", "message": "Fix it\n\nbody", "url": f"{WEB}/-/commit/{AFTER}"}


def about(**fields: Any) -> dict[str, Any]:
    return {"user": USER, "object_attributes": fields}


EVENTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "push", {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER, "user_username": "wang",
                 "total_commits_count": 12, "commits": [COMMIT]},
        f"[g/p] wang pushed 12 commits to main\n\nda15608 Fix it\n… and 11 more\n{WEB}/-/compare/95790bf8...da156088",
    ),
    (
        "push", {"ref": "refs/heads/old", "before": BEFORE, "after": NOTHING, "user_name": "Wang", "commits": []},
        f"[g/p] Wang deleted old\n\n{WEB}",
    ),
    (
        "tag_push", {"ref": "refs/tags/v1.0", "before": NOTHING, "after": AFTER, "user_username": "wang",
                     "message": "First"},
        f"[g/p] wang created tag v1.0\n\nFirst\n{WEB}/-/tags/v1.0",
    ),
    (
        "issue", about(iid=23, title="It breaks", action="open", state="opened", description="**Now**",
                       url=f"{WEB}/-/issues/23"),
        f"[g/p] wang opened issue #23: It breaks\n\nNow\n{WEB}/-/issues/23",
    ),
    (
        "issue", about(iid=23, title="It breaks", action="close", url=f"{WEB}/-/issues/23"),
        f"[g/p] wang closed issue #23: It breaks\n\n{WEB}/-/issues/23",
    ),
    (
        "merge_request", about(iid=1, title="Fix it", action="merge", state="merged", source_branch="fix",
                               target_branch="main", url=f"{WEB}/-/merge_requests/1"),
        f"[g/p] wang merged merge request !1: Fix it\n\nfix → main\n{WEB}/-/merge_requests/1",
    ),
    (
        "merge_request", about(iid=1, title="Fix it", state="opened"),
        "[g/p] wang opened merge request !1: Fix it",
    ),
    (
        "note", about(note="Looks *good*", noteable_type="MergeRequest", url=f"{WEB}/-/merge_requests/1#note_1")
        | {"merge_request": {"iid": 1, "title": "Fix it"}},
        f"[g/p] wang commented on merge request !1: Fix it\n\nLooks good\n{WEB}/-/merge_requests/1#note_1",
    ),
    (
        "note", about(note="yes", noteable_type="Issue") | {"issue": {"iid": 17, "title": "Why"}},
        "[g/p] wang commented on issue #17: Why\n\nyes",
    ),
    ("note", about(note="yes") | {"snippet": {"title": "s.py"}}, "[g/p] wang commented on snippet s.py\n\nyes"),
    ("note", about(note="yes") | {"commit": COMMIT}, "[g/p] wang commented on commit da15608 Fix it\n\nyes"),
    (
        "pipeline", about(id=31, ref="main", status="failed", detailed_status="failed")
        | {"commit": COMMIT, "builds": [{"name": "test", "status": "failed"}, {"name": "lint", "status": "success"}]},
        f"🔴 [g/p] Pipeline #31 of main: failed\n\nFix it\nFailed jobs: test\n{WEB}/-/pipelines/31",
    ),
    (
        "pipeline", about(id=31, ref="main", status="success", detailed_status="passed", url="https://gl.example/x"),
        "🟢 [g/p] Pipeline #31 of main: passed\n\nhttps://gl.example/x",
    ),
    (
        "build", {"ref": "main", "build_id": 1977, "build_name": "test", "build_stage": "verify",
                  "build_status": "failed",
                  "build_failure_reason": "script_failure", "commit": {"message": "Fix it\n"}},
        f"🔴 [g/p] Job verify / test of main: failed\n\nFix it\nReason: script_failure\n{WEB}/-/jobs/1977",
    ),
    (
        "deployment", {"status": "success", "environment": "staging", "short_sha": "279484c0", "commit_title": "Fix it",
                       "deployable_url": f"{WEB}/-/jobs/796"},
        f"🟢 [g/p] Deployment to staging: success\n\n279484c0 Fix it\n{WEB}/-/jobs/796",
    ),
    (
        "release", {"name": "1.0", "tag": "v1.0", "action": "create", "description": "# News",
                    "url": f"{WEB}/-/releases/v1.0"},
        f"[g/p] Release 1.0: created\n\n【News】\n{WEB}/-/releases/v1.0",
    ),
    (
        "wiki_page", about(title="Home", action="update", message="Say more", url=f"{WEB}/-/wikis/home"),
        f"[g/p] wang updated wiki page Home\n\nSay more\n{WEB}/-/wikis/home",
    ),
    ("feature_flag", about(name="new_login", active=True), f"[g/p] feature flag new_login\n\nwang\n{WEB}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "payload", "text"), EVENTS)
def test_an_event_says_what_happened(kind: str, payload: dict[str, Any], text: str) -> None:
    body = {"object_kind": kind, "project": PROJECT, **payload}
    headers = {"x-gitlab-event": "Some Hook", "x-gitlab-event-uuid": "u1"}
    done = post("github", f"/hooks/github/{TOKEN}", body, headers=headers)
    assert text == done.text
    assert done.notification is not None
    assert done.notification.idempotency_key == "u1"


def test_a_confidential_issue_and_a_system_hook_are_read() -> None:
    issue = {"object_kind": "confidential_issue", **about(iid=1, title="t", action="reopen")}
    assert post("github", f"/hooks/github/{TOKEN}", issue).text == "wang reopened issue #1: t"
    created = {"event_name": "project_create", "name": "p", "project_name": "p"}
    assert post("github", f"/hooks/github/{TOKEN}", created).text == "[p] project create"


def test_a_project_without_an_address_has_no_link() -> None:
    push = {"object_kind": "push", "ref": "refs/heads/main", "user_name": "Wang", "commits": [COMMIT]}
    assert post("github", f"/hooks/github/{TOKEN}", push).text == "Wang pushed 1 commit to main\n\nda15608 Fix it"
    job = {"object_kind": "build", "ref": "main", "build_name": "test", "build_status": "created"}
    assert post("github", f"/hooks/github/{TOKEN}", job).text == "Job test of main: created"
