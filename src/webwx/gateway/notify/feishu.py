"""Custom bots of Feishu and Lark: texts, posts and cards. Success is `code` 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.credentials import check_robot_signature
from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import (
    HookAnswer,
    HookRequest,
    HookRoute,
    inner,
    items,
    json_answer,
    objects,
    retry_headers,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEEPEST = 8
"""Maximum depth of nested elements of a card."""

_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (19001, "param invalid: incoming webhook access token invalid"),
    RefusalReason.BAD_SIGNATURE: (19021, "sign match fail or timestamp is not within one hour from current time"),
    RefusalReason.RATE_LIMITED: (11232, "frequency limited"),
    RefusalReason.OFFLINE: (-1, "system busy"),
}
_OTHER_ERROR = 9499
_SEVERITIES = {
    "red": Severity.CRITICAL, "carmine": Severity.CRITICAL, "orange": Severity.WARNING, "yellow": Severity.WARNING,
    "green": Severity.GOOD,
}  # fmt: skip
_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 200, RefusalReason.BAD_SIGNATURE: 200, RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 503, RefusalReason.TOO_LARGE: 413,
}  # fmt: skip


class Feishu:
    """Receiver of the messages of custom bots."""

    kind = "feishu"
    hosts = frozenset({"open.feishu.cn", "open.larksuite.com"})
    routes = (
        HookRoute("/open-apis/bot/v2/hook/{token}"),
        HookRoute("/open-apis/bot/hook/{token}"),
        HookRoute("/hooks/feishu/{token}"),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path."""
        return (request.values["token"],)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message; the signature is in the body."""
        body = request.json_object()
        if options.secret:
            stamp = string(body, "timestamp")
            check_robot_signature(
                f"{stamp}\n{options.secret}".encode(), b"", string(body, "sign"),
                made_at=int(stamp) if stamp.isdecimal() and len(stamp) < 16 else 0.0, now=now,
            )  # fmt: skip
        return _notification(body)

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer `code` 0, and the names of it that older clients read."""
        del request, stored
        return json_answer({"code": 0, "msg": "success", "data": {}, "StatusCode": 0, "StatusMessage": "success"})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a `code`."""
        del request, now
        code, message = _ERRORS.get(refusal.reason, (_OTHER_ERROR, refusal.detail))
        status = _STATUS.get(refusal.reason, 400)
        return json_answer({"code": code, "msg": message, "data": {}}, status, retry_headers(refusal))


def _notification(body: Mapping[str, object]) -> Notification:
    content = inner(body, "content")
    match string(body, "msg_type"):
        case "text":
            return Notification(text=_marked(string(content, "text")))
        case "post":
            return _post(inner(content, "post") or inner(body, "post"))
        case "interactive":
            return _card(inner(body, "card"))
        case "":
            return Notification(title=string(body, "title"), text=string(body, "text"))
        case _:
            raise Refusal(RefusalReason.UNSUPPORTED)


def _marked(text: str) -> str:
    """Return a text in which a mention is `@name`."""
    return markdown_text(text.replace("<at ", "@<at ")).text if "<at " in text else text


def _post(post: Mapping[str, object]) -> Notification:
    """Return a post in its first language."""
    written = next((found for language in post if (found := inner(post, language))), {})
    lines = ["".join(_inline(each) for each in objects(row)) for row in items(written.get("content"))]
    return Notification(title=string(written, "title"), text="\n".join(lines))


def _inline(element: Mapping[str, object]) -> str:
    match string(element, "tag"):
        case "a":
            return " ".join(filter(None, (string(element, "text"), string(element, "href"))))
        case "at":
            return f"@{string(element, 'user_name', 'user_id')}"
        case "img" | "media":
            return "[图片]"
        case "md":
            return markdown_text(string(element, "text")).text
        case "hr":
            return "————"
        case _:
            return string(element, "text")


def _card(card: Mapping[str, object]) -> Notification:
    header = inner(card, "header")
    elements = card.get("elements") or inner(card, "body").get("elements")
    lines = [line for each in objects(elements) for line in _element(each, 0)]
    return Notification(
        title=_text(inner(header, "title")),
        text="\n".join(filter(None, (_text(inner(header, "subtitle")), *lines))),
        link=string(inner(card, "card_link"), "url"),
        severity=_SEVERITIES.get(string(header, "template"), Severity.NONE),
    )


def _text(text: Mapping[str, object]) -> str:
    content = string(text, "content", "text")
    return markdown_text(content.replace("<at ", "@<at ")).text if string(text, "tag") == "lark_md" else content


def _element(element: Mapping[str, object], depth: int) -> Iterator[str]:
    """Yield the lines of an element of a card."""
    if depth > DEEPEST:
        return
    match string(element, "tag"):
        case "hr":
            yield "————"
        case "markdown":
            yield markdown_text(string(element, "content").replace("<at ", "@<at ")).text
        case "img":
            yield f"[图片] {_text(inner(element, 'alt'))}".rstrip()
        case "button":
            behaviors = (string(each, "default_url") for each in objects(element.get("behaviors")))
            address = string(element, "url") or next(filter(None, behaviors), "")
            yield f"{_text(inner(element, 'text'))} {address}".strip() if address else ""
        case "note":
            yield " ".join(filter(None, (_text(each) for each in objects(element.get("elements")))))
        case "plain_text" | "lark_md":
            yield _text(element)
        case _:
            yield _text(inner(element, "text"))
            for field in objects(element.get("fields")):
                yield _text(inner(field, "text"))
            if extra := inner(element, "extra"):
                yield from _element(extra, depth + 1)
            for name in ("actions", "columns", "elements"):
                for each in objects(element.get(name)):
                    yield from _element(each, depth + 1)
