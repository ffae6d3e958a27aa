"""Events of GitLab as messages: what happened, with its state, its title and its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import inner, objects, string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_COMMITS = 10
"""Maximum number of commits of a push that are shown."""
LONGEST_BODY = 1000
"""Maximum number of characters of a comment or description that are shown."""

STATES = {
    "success": Severity.GOOD, "failed": Severity.CRITICAL, "canceled": Severity.WARNING,
}  # fmt: skip
"""Severities of the states of pipelines, jobs and deployments."""

_NOTHING = "0" * 40
"""Id of a commit that does not exist, before a branch was created or after it was deleted."""

_VERBS = {
    "open": "opened", "close": "closed", "reopen": "reopened", "update": "updated", "merge": "merged",
    "approved": "approved", "unapproved": "revoked the approval of", "approval": "approved",
    "unapproval": "revoked the approval of", "create": "created", "delete": "deleted",
}  # fmt: skip


def kind_of(payload: Mapping[str, object]) -> str:
    """Return the kind of an event; empty for a payload that is not of GitLab."""
    return string(payload, "object_kind", "event_name")


def notification_of(payload: Mapping[str, object]) -> Notification:
    """Return the message of an event, without the name of the project."""
    return _TEMPLATES.get(kind_of(payload).removeprefix("confidential_"), _other)(payload)


def project_of(payload: Mapping[str, object]) -> str:
    """Return the path of the project."""
    return string(inner(payload, "project"), "path_with_namespace") or string(payload, "project_name")


def _address(payload: Mapping[str, object]) -> str:
    return string(inner(payload, "project"), "web_url") or string(inner(payload, "repository"), "homepage")


def _user(payload: Mapping[str, object]) -> str:
    return string(inner(payload, "user"), "username", "name") or string(payload, "user_username", "user_name")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _body(text: str) -> str:
    return markdown_text(text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]}…").text


def _push(payload: Mapping[str, object]) -> Notification:
    ref = string(payload, "ref")
    is_tag = ref.startswith("refs/tags/")
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    what, address = ("tag " if is_tag else ""), _address(payload)
    if string(payload, "after") == _NOTHING:
        return Notification(title=f"{_user(payload)} deleted {what}{name}", link=address)
    if is_tag:
        return Notification(
            title=f"{_user(payload)} created tag {name}",
            text=_body(string(payload, "message")),
            link=address and f"{address}/-/tags/{name}",
        )
    commits = objects(payload.get("commits"))
    number = int(count) if (count := string(payload, "total_commits_count")).isdecimal() else len(commits)
    shown = [
        f"{string(each, 'id')[:7]} {string(each, 'title') or _first_line(string(each, 'message'))}"
        for each in commits[-MOST_COMMITS:]
    ]
    if number > len(shown):
        shown.append(f"… and {number - len(shown)} more")
    before, after = string(payload, "before"), string(payload, "after")
    is_new = before in {"", _NOTHING}
    link = f"{address}/-/commits/{name}" if is_new else f"{address}/-/compare/{before[:8]}...{after[:8]}"
    return Notification(
        title=f"{_user(payload)} pushed {number} commit{'' if number == 1 else 's'} to {name}",
        text="\n".join(shown),
        link=link if address else "",
    )


def _numbered(word: str, sign: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of an event about an issue or a merge request."""

    def read(payload: Mapping[str, object]) -> Notification:
        about = inner(payload, "object_attributes")
        action = string(about, "action")
        verb = _VERBS.get(action, action or string(about, "state"))
        title = f"{_user(payload)} {verb} {word} {sign}{string(about, 'iid')}: {string(about, 'title')}"
        branches = [string(about, "source_branch"), string(about, "target_branch")]
        lines = [" → ".join(branches) if all(branches) else ""]
        if action == "open":
            lines.append(_body(string(about, "description")))
        return Notification(title=title, text="\n".join(filter(None, lines)), link=string(about, "url"))

    return read


def _note(payload: Mapping[str, object]) -> Notification:
    about = inner(payload, "object_attributes")
    issue, request, snippet = (inner(payload, name) for name in ("issue", "merge_request", "snippet"))
    commit = inner(payload, "commit")
    if request:
        what = f"merge request !{string(request, 'iid')}: {string(request, 'title')}"
    elif issue:
        what = f"issue #{string(issue, 'iid')}: {string(issue, 'title')}"
    elif snippet:
        what = f"snippet {string(snippet, 'title')}"
    else:
        what = f"commit {string(commit, 'id')[:7]} {_first_line(string(commit, 'message'))}".strip()
    return Notification(
        title=f"{_user(payload)} commented on {what}",
        text=_body(string(about, "note", "description")),
        link=string(about, "url"),
    )


def _pipeline(payload: Mapping[str, object]) -> Notification:
    about, commit = inner(payload, "object_attributes"), inner(payload, "commit")
    number, state, address = string(about, "id"), string(about, "status"), _address(payload)
    failed = [string(each, "name") for each in objects(payload.get("builds")) if string(each, "status") == "failed"]
    title = string(commit, "title") or _first_line(string(commit, "message"))
    return Notification(
        title=f"Pipeline #{number} of {string(about, 'ref')}: {string(about, 'detailed_status') or state}",
        text="\n".join(filter(None, (title, f"Failed jobs: {', '.join(failed)}" if failed else ""))),
        link=string(about, "url") or (f"{address}/-/pipelines/{number}" if address else ""),
        severity=STATES.get(state, Severity.NONE),
    )


def _job(payload: Mapping[str, object]) -> Notification:
    number, state, address = string(payload, "build_id"), string(payload, "build_status"), _address(payload)
    stage, reason = string(payload, "build_stage"), string(payload, "build_failure_reason")
    name = " / ".join(filter(None, (stage, string(payload, "build_name"))))
    commit = inner(payload, "commit")
    lines = [_first_line(string(commit, "title", "message"))]
    if state == "failed" and reason not in {"", "unknown_failure"}:
        lines.append(f"Reason: {reason}")
    return Notification(
        title=f"Job {name} of {string(payload, 'ref')}: {state}",
        text="\n".join(filter(None, lines)),
        link=f"{address}/-/jobs/{number}" if address and number else address,
        severity=STATES.get(state, Severity.NONE),
    )


def _deployment(payload: Mapping[str, object]) -> Notification:
    state = string(payload, "status")
    return Notification(
        title=f"Deployment to {string(payload, 'environment')}: {state}",
        text=" ".join(filter(None, (string(payload, "short_sha"), string(payload, "commit_title")))),
        link=string(payload, "deployable_url", "environment_external_url") or _address(payload),
        severity=STATES.get(state, Severity.NONE),
    )


def _release(payload: Mapping[str, object]) -> Notification:
    action = string(payload, "action")
    return Notification(
        title=f"Release {string(payload, 'name', 'tag')}: {_VERBS.get(action, action)}",
        text=_body(string(payload, "description")) if action == "create" else "",
        link=string(payload, "url"),
    )


def _wiki_page(payload: Mapping[str, object]) -> Notification:
    about = inner(payload, "object_attributes")
    action = string(about, "action")
    title = f"{_user(payload)} {_VERBS.get(action, action)} wiki page {string(about, 'title')}"
    return Notification(title=title, text=_body(string(about, "message")), link=string(about, "url"))


def _other(payload: Mapping[str, object]) -> Notification:
    about = inner(payload, "object_attributes")
    action = string(about, "action", "state") or string(payload, "action", "status")
    name = string(about, "title", "name")
    return Notification(
        title=" ".join(filter(None, (kind_of(payload).replace("_", " "), name, action))),
        text=_user(payload),
        link=string(about, "url") or _address(payload),
    )


_TEMPLATES: Mapping[str, Callable[[Mapping[str, object]], Notification]] = {
    "push": _push,
    "tag_push": _push,
    "issue": _numbered("issue", "#"),
    "work_item": _numbered("work item", "#"),
    "merge_request": _numbered("merge request", "!"),
    "note": _note,
    "pipeline": _pipeline,
    "build": _job,
    "deployment": _deployment,
    "release": _release,
    "wiki_page": _wiki_page,
}
