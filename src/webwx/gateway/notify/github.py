"""
Webhooks of GitHub, and of Gitea, Forgejo and GitLab, whose payloads have the same or similar fields.

GitHub and Gitea sign the body; GitLab sends the secret itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

_CONCLUSIONS = {"success": Severity.GOOD, "failure": Severity.CRITICAL, "timed_out": Severity.CRITICAL}


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
        event = event.removesuffix(" Hook").lower().replace(" ", "_") or string(payload, "object_kind")
        if not event:
            raise Refusal(RefusalReason.INVALID_FIELD, "The header X-GitHub-Event is missing.")
        found = _TEMPLATES.get(event, _other)(payload)
        heading = found.title or f"{event} {string(payload, 'action')}".strip()
        return Notification(
            title=" ".join(filter(None, (f"[{_repository(payload)}]" if _repository(payload) else "", heading))),
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
    return string(inner(payload, "repository"), "full_name") or string(inner(payload, "project"), "path_with_namespace")


def _sender(payload: Mapping[str, object]) -> str:
    return string(inner(payload, "sender"), "login", "username") or string(payload, "user_username", "user_name")


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


def _other(payload: Mapping[str, object]) -> Notification:
    link = string(inner(payload, "repository"), "html_url") or string(inner(payload, "project"), "web_url")
    return Notification(text=_sender(payload), link=link)


_TEMPLATES: Mapping[str, Callable[[Mapping[str, object]], Notification]] = {
    "push": _push,
    "pull_request": _numbered("pull request", "pull_request"),
    "issues": _numbered("issue", "issue"),
    "issue_comment": _comment,
    "release": _release,
    "workflow_run": _workflow_run,
    "star": _star,
    "discussion": _numbered("discussion", "discussion"),
}
