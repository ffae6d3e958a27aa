"""
The group robot of WeCom (企业微信), and its application messages, as Alertmanager and Grafana send them.

Errors are answered with status 200 and an `errcode`, as WeCom does, except those after which a client should retry. The
access token of an application is the token of the receiver.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from webwx.gateway.notify.notification import AttachedFile, Notification
from webwx.gateway.notify.receiver import FileUpload, Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import (
    MAX_BODY_WITH_FILES,
    HookAnswer,
    HookRequest,
    HookRoute,
    inner,
    json_answer,
    objects,
    retry_headers,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

UPLOAD_SECONDS = 3 * 24 * 3600.0
"""Seconds for which an uploaded file can be sent."""
TOKEN_SECONDS = 7200
"""Validity of an access token in seconds, as the answer states it."""
MOST_ARTICLES = 8
"""Maximum number of articles of a `news` message."""

_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (93000, "invalid webhook url"),
    RefusalReason.UNSUPPORTED: (40008, "invalid message type"),
    RefusalReason.RATE_LIMITED: (45009, "api freq out of limit"),
    RefusalReason.OFFLINE: (-1, "system busy"),
    RefusalReason.EMPTY: (44004, "empty content"),
}
_OTHER_ERROR = 40058
_WRONG_PICTURE = "The picture does not match its md5."
_WRONG_PICTURE_CODE = 40009


class WeCom:
    """Receiver of robot and application messages."""

    kind = "wecom"
    hosts = frozenset({"qyapi.weixin.qq.com"})
    routes = (
        HookRoute("/cgi-bin/webhook/send", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/cgi-bin/webhook/upload_media", action="upload", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/hooks/wecom/{token}", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/hooks/wecom/{token}/upload_media", action="upload", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/cgi-bin/gettoken", ("GET",), action="access token"),
        HookRoute("/cgi-bin/message/send", action="application", max_bytes=MAX_BODY_WITH_FILES),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path, or `key`, `corpsecret` or `access_token`."""
        token = request.values.get("token") or request.query_value("key", "corpsecret", "access_token")
        return (token,) if token else ()

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message, an uploaded file, or the request for an access token."""
        del options, now
        match request.route.action:
            case "access token":
                return _answer({"access_token": request.token, "expires_in": TOKEN_SECONDS})
            case "upload":
                return _upload(request)
        body = request.json_object()
        msgtype = string(body, "msgtype")
        notification = _notification(msgtype, inner(body, msgtype))
        if notification.is_empty and msgtype == "text":
            return _answer({})  # some clients send an empty text in addition to the message, and expect success
        return notification

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer `errcode` 0; an application message gets an id."""
        return _answer({"msgid": str(stored.number)} if request.route.action == "application" else {})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer an `errcode`."""
        del now
        code, message = _ERRORS.get(refusal.reason, (_OTHER_ERROR, refusal.detail))
        if refusal.reason is RefusalReason.UNKNOWN_TOKEN and request.route.action in {"application", "access token"}:
            code, message = (42001, "access_token expired") if request.route.action == "application" else (40001, "")
        if refusal.detail == _WRONG_PICTURE:
            code = _WRONG_PICTURE_CODE
        status = {RefusalReason.RATE_LIMITED: 429, RefusalReason.OFFLINE: 503, RefusalReason.TOO_LARGE: 413}.get(
            refusal.reason, 200
        )
        return json_answer({"errcode": code, "errmsg": message or refusal.detail}, status, retry_headers(refusal))


def _answer(fields: Mapping[str, object]) -> HookAnswer:
    return json_answer({"errcode": 0, "errmsg": "ok", **fields})


def _upload(request: HookRequest) -> FileUpload:
    attachment = next((file for name, file in request.files if name == "media"), None)
    if attachment is None:
        raise Refusal(RefusalReason.INVALID_FIELD, "The field `media` is missing.")
    kind = request.query_value("type") or "file"
    return FileUpload(
        attachment,
        UPLOAD_SECONDS,
        lambda file_id, now: _answer({"type": kind, "media_id": file_id, "created_at": str(int(now))}),
    )


def _notification(msgtype: str, content: Mapping[str, object]) -> Notification:
    match msgtype:
        case "text":
            return Notification(text="\n".join(filter(None, (string(content, "content"), _mentions(content)))))
        case "markdown" | "markdown_v2":
            rendered = markdown_text(string(content, "content"))
            return Notification(text=rendered.text, files=rendered.pictures)
        case "image":
            return Notification(files=(_picture(content),))
        case "news":
            return Notification(text=_news(content))
        case "mpnews":
            articles = objects(content.get("articles"))[:MOST_ARTICLES]
            return Notification(text="\n\n".join(string(each, "title") for each in articles))
        case "textcard":
            return Notification(
                title=string(content, "title"), text=string(content, "description"), link=string(content, "url")
            )
        case "file" | "voice" | "video":
            media_id = string(content, "media_id")
            return Notification(uploads=(media_id,) if media_id else ())
        case "template_card":
            return _card(content)
        case _:
            raise Refusal(RefusalReason.UNSUPPORTED)


def _mentions(content: Mapping[str, object]) -> str:
    names = [each for field in ("mentioned_list", "mentioned_mobile_list") for each in _strings(content.get(field))]
    return " ".join(dict.fromkeys(f"@{name.removeprefix('@')}" for name in names if name))


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _picture(content: Mapping[str, object]) -> AttachedFile:
    try:
        picture = base64.b64decode("".join(string(content, "base64").split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(RefusalReason.INVALID_FIELD, "The picture is not valid base64.") from None
    if not picture:
        raise Refusal(RefusalReason.INVALID_FIELD, "The picture is empty.")
    digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()
    if string(content, "md5").lower() != digest:
        raise Refusal(RefusalReason.INVALID_FIELD, _WRONG_PICTURE)
    is_png = picture.startswith(b"\x89PNG")
    name, media_type = ("picture.png", "image/png") if is_png else ("picture.jpg", "image/jpeg")
    return AttachedFile(name=name, content=picture, media_type=media_type)


def _news(content: Mapping[str, object]) -> str:
    articles = objects(content.get("articles"))[:MOST_ARTICLES]
    shown = (
        "\n".join(filter(None, (string(each, name) for name in ("title", "description", "url")))) for each in articles
    )
    return "\n\n".join(filter(None, shown))


def _card(card: Mapping[str, object]) -> Notification:
    title = inner(card, "main_title")
    emphasis, quote = inner(card, "emphasis_content"), inner(card, "quote_area")
    lines = [string(title, "desc"), " ".join(filter(None, (string(emphasis, "title"), string(emphasis, "desc"))))]
    lines += [string(card, "sub_title_text")]
    lines += [f"│ {line}" for line in (string(quote, "title"), string(quote, "quote_text")) if line]
    for row in objects(card.get("horizontal_content_list")) + objects(card.get("vertical_content_list")):
        name, value = string(row, "keyname", "title"), string(row, "value", "desc")
        lines.append(f"{name}: {value}" if name and value else name or value)
        lines.append(string(row, "url"))
    lines += [
        " ".join(filter(None, (string(row, "title"), string(row, "url")))) for row in objects(card.get("jump_list"))
    ]
    return Notification(
        title=string(title, "title"),
        text="\n".join(filter(None, lines)),
        link=string(inner(card, "card_action"), "url"),
    )
