"""
Webhooks of GitHub, and of Gitea, Forgejo and GitLab, whose payloads have the same or similar fields.

GitHub and Gitea sign the body; GitLab sends the secret itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify import gitlab
from webwx.gateway.notify.answers import plain_accepted, plain_refused
from webwx.gateway.notify.credentials import check_hmac, check_secret, path_or_authorization
from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import (
    HookAnswer,
    HookRequest,
    HookRoute,
    as_object,
    decode_json,
    inner,
    objects,
    string,
    text_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_COMMITS = 10
"""Maximum number of commits of a push that are shown."""
LONGEST_BODY = 1000
"""Maximum number of characters of a comment or description that are shown."""

_CONCLUSIONS = {
    "success": Severity.GOOD, "failure": Severity.CRITICAL, "timed_out": Severity.CRITICAL,
    "startup_failure": Severity.CRITICAL, "error": Severity.CRITICAL, "action_required": Severity.WARNING,
    "cancelled": Severity.WARNING,
}  # fmt: skip
_LEVELS = {
    "low": Severity.INFORMATION, "note": Severity.INFORMATION, "medium": Severity.WARNING, "moderate": Severity.WARNING,
    "warning": Severity.WARNING,
}  # fmt: skip
_REVIEWS = {"approved": "approved", "changes_requested": "requested changes to", "commented": "commented on"}
_NOT_SUBJECTS = {"repository", "sender", "organization", "enterprise", "installation"}


class GitHub:
    """Receiver of events of repositories."""

    kind = "github"
    hosts = frozenset[str]()
    routes = (
        HookRoute("/hooks/github/{token}", max_bytes=25 * 1024 * 1024),
        HookRoute("/hooks/github", max_bytes=25 * 1024 * 1024),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path or of the Authorization header."""
        return path_or_authorization(request)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read an event; a ping is answered without a message."""
        del now
        if options.secret:
            _check_signature(request, options.secret)
        event = request.header("x-github-event", "x-gitea-event", "x-gitlab-event")
        payload = _payload(request)
        if event == "ping":
            return text_answer("pong")
        is_gitlab = bool(gitlab.kind_of(payload)) and not request.header("x-github-event", "x-gitea-event")
        event = gitlab.kind_of(payload) if is_gitlab else event
        if not event:
            raise Refusal(RefusalReason.INVALID_FIELD, "The header X-GitHub-Event is missing.")
        found = gitlab.notification_of(payload) if is_gitlab else _TEMPLATES.get(event, _other)(payload)
        heading = found.title or f"{event} {string(payload, 'action')}".strip()
        repository = gitlab.project_of(payload) if is_gitlab else _repository(payload)
        return Notification(
            title=" ".join(filter(None, (f"[{repository}]" if repository else "", heading))),
            text=found.text,
            link=found.link,
            severity=found.severity,
            idempotency_key=request.header("x-github-delivery", "x-gitea-delivery", "x-gitlab-event-uuid"),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer 200."""
        del request, stored
        return plain_accepted()

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a status."""
        del request, now
        return plain_refused(refusal)


def _check_signature(request: HookRequest, secret: str) -> None:
    if token := request.header("x-gitlab-token"):
        check_secret(secret, token)
    elif signature := request.header("x-hub-signature-256"):
        check_hmac(request.body, secret, signature.removeprefix("sha256="))
    else:
        check_hmac(request.body, secret, request.header("x-gitea-signature"))


def _payload(request: HookRequest) -> dict[str, object]:
    if request.media_type == "application/x-www-form-urlencoded":
        return as_object(decode_json(request.form().get("payload", "")))
    return request.json_object()


def _repository(payload: Mapping[str, object]) -> str:
    return string(inner(payload, "repository"), "full_name") or string(inner(payload, "organization"), "login")


def _sender(payload: Mapping[str, object]) -> str:
    return string(inner(payload, "sender"), "login", "username")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _body(value: Mapping[str, object]) -> str:
    body = string(value, "body")
    return markdown_text(body if len(body) <= LONGEST_BODY else f"{body[:LONGEST_BODY]}…").text


def _push(payload: Mapping[str, object]) -> Notification:
    commits = objects(payload.get("commits"))
    branch = string(payload, "ref").removeprefix("refs/heads/").removeprefix("refs/tags/")
    pusher = string(inner(payload, "pusher"), "name", "login", "username") or _sender(payload)
    if payload.get("deleted") is True:
        return Notification(title=f"{pusher} deleted {branch}")
    lines = [f"{string(each, 'id')[:7]} {_first_line(string(each, 'message'))}" for each in commits[:MOST_COMMITS]]
    if len(commits) > MOST_COMMITS:
        lines.append(f"… and {len(commits) - MOST_COMMITS} more")
    number = f"{len(commits)} commit{'' if len(commits) == 1 else 's'}"
    link = string(payload, "compare", "compare_url")
    return Notification(title=f"{pusher} pushed {number} to {branch}", text="\n".join(lines), link=link)


def _numbered(word: str, name: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of an event about something with a number and a title."""

    def read(payload: Mapping[str, object]) -> Notification:
        subject = inner(payload, name)
        action = string(payload, "action")
        if action == "closed" and subject.get("merged") is True:
            action = "merged"
        title = f"{_sender(payload)} {action} {word} #{string(subject, 'number')}: {string(subject, 'title')}"
        text = _body(subject) if action in {"opened", "created", "published"} else ""
        return Notification(title=title, text=text, link=string(subject, "html_url"))

    return read


def _comment(payload: Mapping[str, object]) -> Notification:
    issue, comment = inner(payload, "issue"), inner(payload, "comment")
    title = f"{_sender(payload)} commented on #{string(issue, 'number')}: {string(issue, 'title')}"
    return Notification(title=title, text=_body(comment), link=string(comment, "html_url"))


def _release(payload: Mapping[str, object]) -> Notification:
    release = inner(payload, "release")
    title = f"{_sender(payload)} {string(payload, 'action')} release {string(release, 'name', 'tag_name')}"
    return Notification(title=title, text=_body(release), link=string(release, "html_url"))


def _workflow_run(payload: Mapping[str, object]) -> Notification:
    run = inner(payload, "workflow_run")
    state = string(run, "conclusion") or string(payload, "action")
    title = f"{string(run, 'name')} #{string(run, 'run_number')}: {state}"
    text = " ".join(filter(None, (string(run, "head_branch"), string(run, "display_title"))))
    severity = _CONCLUSIONS.get(string(run, "conclusion"), Severity.NONE)
    return Notification(title=title, text=text, link=string(run, "html_url"), severity=severity)


def _star(payload: Mapping[str, object]) -> Notification:
    stars = string(inner(payload, "repository"), "stargazers_count")
    verb = "removed a star" if string(payload, "action") == "deleted" else "starred"
    title = f"{_sender(payload)} {verb} ({stars} stars)"
    return Notification(title=title, link=string(inner(payload, "repository"), "html_url"))


def _check(name: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of an event about a check, or a job of a workflow."""

    def read(payload: Mapping[str, object]) -> Notification:
        check = inner(payload, name)
        state = string(check, "conclusion", "status") or string(payload, "action")
        shown = string(check, "name") or string(inner(check, "app"), "name") or name.replace("_", " ")
        workflow = string(check, "workflow_name")
        lines = [string(inner(check, "output"), "title"), string(check, "head_branch")]
        return Notification(
            title=f"{f'{workflow} / ' if workflow else ''}{shown}: {state}",
            text="\n".join(filter(None, lines)),
            link=string(check, "html_url"),
            severity=_CONCLUSIONS.get(state, Severity.NONE),
        )

    return read


def _status(payload: Mapping[str, object]) -> Notification:
    state, commit = string(payload, "state"), inner(inner(payload, "commit"), "commit")
    lines = [string(payload, "description"), f"{string(payload, 'sha')[:7]} {_first_line(string(commit, 'message'))}"]
    return Notification(
        title=f"{string(payload, 'context')}: {state}",
        text="\n".join(line.strip() for line in lines if line.strip()),
        link=string(payload, "target_url") or string(inner(payload, "commit"), "html_url"),
        severity=_CONCLUSIONS.get(state, Severity.NONE),
    )


def _deployment_status(payload: Mapping[str, object]) -> Notification:
    status, deployment = inner(payload, "deployment_status"), inner(payload, "deployment")
    state = string(status, "state")
    return Notification(
        title=f"Deployment to {string(status, 'environment') or string(deployment, 'environment')}: {state}",
        text=string(status, "description") or string(deployment, "ref"),
        link=string(status, "environment_url", "target_url", "log_url"),
        severity=_CONCLUSIONS.get(state, Severity.NONE),
    )


def _review(payload: Mapping[str, object]) -> Notification:
    review, pull = inner(payload, "review"), inner(payload, "pull_request")
    verb = _REVIEWS.get(string(review, "state").lower(), "reviewed")
    if string(payload, "action") == "dismissed":
        verb = "dismissed a review of"
    title = f"{_sender(payload)} {verb} pull request #{string(pull, 'number')}: {string(pull, 'title')}"
    return Notification(title=title, text=_body(review), link=string(review, "html_url"))


def _comment_on(name: str, sign: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of a comment on something that has a number and a title."""

    def read(payload: Mapping[str, object]) -> Notification:
        subject, comment = inner(payload, name), inner(payload, "comment")
        title = f"{_sender(payload)} commented on {sign}{string(subject, 'number')}: {string(subject, 'title')}"
        return Notification(title=title, text=_body(comment), link=string(comment, "html_url"))

    return read


def _commit_comment(payload: Mapping[str, object]) -> Notification:
    comment = inner(payload, "comment")
    title = f"{_sender(payload)} commented on commit {string(comment, 'commit_id')[:7]}"
    return Notification(title=title, text=_body(comment), link=string(comment, "html_url"))


def _ref(verb: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of a branch or tag that was created or deleted."""

    def read(payload: Mapping[str, object]) -> Notification:
        title = f"{_sender(payload)} {verb} {string(payload, 'ref_type')} {string(payload, 'ref')}"
        return Notification(title=title, link=string(inner(payload, "repository"), "html_url"))

    return read


def _fork(payload: Mapping[str, object]) -> Notification:
    fork = inner(payload, "forkee")
    title = f"{_sender(payload)} forked to {string(fork, 'full_name')}".removesuffix(" to ")
    return Notification(title=title, link=string(fork, "html_url"))


def _alert(word: str) -> Callable[[Mapping[str, object]], Notification]:
    """Return the template of an alert about the security of a repository."""

    def read(payload: Mapping[str, object]) -> Notification:
        alert = inner(payload, "alert")
        advisory, rule = inner(alert, "security_advisory"), inner(alert, "rule")
        package = string(inner(inner(alert, "dependency"), "package"), "name")
        what = string(advisory, "summary") or string(rule, "description", "name")
        what = what or string(alert, "secret_type_display_name", "secret_type")
        level = string(advisory, "severity") or string(rule, "security_severity_level", "severity")
        action = string(payload, "action").replace("_", " ")
        is_over = action in {"fixed", "resolved", "dismissed", "auto dismissed", "closed by user"}
        severity = Severity.GOOD if is_over else _LEVELS.get(level, Severity.CRITICAL)
        return Notification(
            title=f"{word} alert {action}: {what}",
            text=", ".join(filter(None, (package, level))),
            link=string(alert, "html_url"),
            severity=severity,
        )

    return read


def _other(payload: Mapping[str, object]) -> Notification:
    """Return the message of any other event: the title and address of its subject, which most payloads have."""
    named = (inner(payload, name) for name in payload if name not in _NOT_SUBJECTS)
    subject = next((each for each in named if string(each, "html_url")), {})
    link = string(subject, "html_url") or string(inner(payload, "repository"), "html_url")
    return Notification(text="\n".join(filter(None, (string(subject, "title", "name"), _sender(payload)))), link=link)


_TEMPLATES: Mapping[str, Callable[[Mapping[str, object]], Notification]] = {
    "push": _push,
    "pull_request": _numbered("pull request", "pull_request"),
    "issues": _numbered("issue", "issue"),
    "issue_comment": _comment,
    "release": _release,
    "workflow_run": _workflow_run,
    "star": _star,
    "discussion": _numbered("discussion", "discussion"),
    "milestone": _numbered("milestone", "milestone"),
    "check_run": _check("check_run"),
    "check_suite": _check("check_suite"),
    "workflow_job": _check("workflow_job"),
    "status": _status,
    "deployment_status": _deployment_status,
    "pull_request_review": _review,
    "pull_request_review_comment": _comment_on("pull_request", "pull request #"),
    "discussion_comment": _comment_on("discussion", "discussion #"),
    "commit_comment": _commit_comment,
    "create": _ref("created"),
    "delete": _ref("deleted"),
    "fork": _fork,
    "dependabot_alert": _alert("Dependabot"),
    "code_scanning_alert": _alert("Code scanning"),
    "secret_scanning_alert": _alert("Secret scanning"),
}
