"""Custom robots of DingTalk: texts, Markdown, links and cards. Success is `errcode` 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.credentials import check_robot_signature
from webwx.gateway.notify.notification import Notification
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
    from collections.abc import Mapping

_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (300005, "token is not exist"),
    RefusalReason.BAD_SIGNATURE: (310000, "sign not match"),
    RefusalReason.UNSUPPORTED: (400105, "unsupported msgtype"),
    RefusalReason.RATE_LIMITED: (130101, "send too fast"),
    RefusalReason.OFFLINE: (-1, "system busy"),
}
_OTHER_ERROR = 40035


class DingTalk:
    """Receiver of the messages of custom robots."""

    kind = "dingtalk"
    hosts = frozenset({"oapi.dingtalk.com"})
    routes = (HookRoute("/robot/send"), HookRoute("/hooks/dingtalk/{token}"))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path, or `access_token`."""
        token = request.values.get("token") or request.query_value("access_token")
        return (token,) if token else ()

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message; the signature is in the query."""
        if options.secret:
            stamp = request.query_value("timestamp")
            check_robot_signature(
                options.secret.encode(), f"{stamp}\n{options.secret}".encode(), request.query_value("sign"),
                made_at=_seconds(stamp), now=now,
            )  # fmt: skip
        body = request.json_object()
        msgtype = string(body, "msgtype")
        return _notification(msgtype, inner(body, msgtype), _mentions(inner(body, "at")))

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer `errcode` 0."""
        del request, stored
        return json_answer({"errcode": 0, "errmsg": "ok"})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer an `errcode`; the status is 200, except when a repetition may succeed."""
        del request, now
        code, message = _ERRORS.get(refusal.reason, (_OTHER_ERROR, refusal.detail))
        status = {RefusalReason.RATE_LIMITED: 429, RefusalReason.OFFLINE: 503, RefusalReason.TOO_LARGE: 413}.get(
            refusal.reason, 200
        )
        return json_answer({"errcode": code, "errmsg": message}, status, retry_headers(refusal))


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000 if milliseconds.isdecimal() and len(milliseconds) < 16 else 0.0


def _mentions(at: Mapping[str, object]) -> str:
    found = [*items(at.get("atMobiles")), *items(at.get("atUserIds"))]
    names = [f"@{name}" for name in found if isinstance(name, str | int)]
    return " ".join([*names, *(["@all"] if at.get("isAtAll") is True else [])])


def _notification(msgtype: str, content: Mapping[str, object], mentions: str) -> Notification:
    match msgtype:
        case "text":
            text = string(content, "content")
            missing = [name for name in mentions.split() if name not in text]
            return Notification(text="\n".join(filter(None, (text, " ".join(missing)))))
        case "markdown":
            return _markdown(content)
        case "link":
            lines = (string(content, "text"), _picture(content))
            return Notification(
                title=string(content, "title"), text="\n".join(filter(None, lines)), link=string(content, "messageUrl")
            )
        case "actionCard":
            card = _markdown(content)
            buttons = [("singleTitle", "singleURL", content)]
            buttons += [("title", "actionURL", each) for each in objects(content.get("btns"))]
            shown = [" ".join(filter(None, (string(each, name), string(each, url)))) for name, url, each in buttons]
            return Notification(title=card.title, text="\n".join(filter(None, (card.text, *shown))), files=card.files)
        case "feedCard":
            links = objects(content.get("links"))
            entries = ["\n".join(filter(None, (string(each, "title"), string(each, "messageURL")))) for each in links]
            return Notification(text="\n\n".join(filter(None, entries)))
        case _:
            raise Refusal(RefusalReason.UNSUPPORTED)


def _markdown(content: Mapping[str, object]) -> Notification:
    """Return a message in Markdown; its title, which the app shows in a list only, is often its first heading."""
    rendered, title = markdown_text(string(content, "text")), string(content, "title")
    is_repeated = title.strip() and title.strip() in rendered.text.partition("\n")[0]
    return Notification(title="" if is_repeated else title, text=rendered.text, files=rendered.pictures)


def _picture(content: Mapping[str, object]) -> str:
    address = string(content, "picUrl")
    return f"[图片] {address}" if address else ""
