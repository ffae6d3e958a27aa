"""PushPlus (推送加): `POST /send` with a token in the body. Errors are answered with status 200 and a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import Rendered, html_text, markdown_text
from webwx.gateway.notify.request import (
    HookAnswer,
    HookRequest,
    HookRoute,
    as_string,
    decode_json,
    json_answer,
    retry_headers,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOTH = ("GET", "POST")
_STATUS = {RefusalReason.RATE_LIMITED: 429, RefusalReason.OFFLINE: 503, RefusalReason.TOO_LARGE: 413}
_CODES = {RefusalReason.UNKNOWN_TOKEN: (903, "无效的用户令牌"), RefusalReason.RATE_LIMITED: (900, "请求次数过多")}
_OTHER_CODE = 999


class PushPlus:
    """Receiver of PushPlus's requests."""

    kind = "pushplus"
    hosts = frozenset({"www.pushplus.plus", "pushplus.plus"})
    routes = (HookRoute("/send", _BOTH), HookRoute("/send/{token}", _BOTH), HookRoute("/hooks/pushplus/{token}", _BOTH))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path, or the field `token`."""
        token = request.values.get("token") or string(_fields(request), "token")
        return (token,) if token else ()

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message; its content is HTML unless `template` says otherwise."""
        del options, now
        fields = _fields(request)
        rendered = _rendered(string(fields, "template"), fields.get("content"))
        return Notification(title=string(fields, "title"), text=rendered.text, files=rendered.pictures)

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer with code 200 and the number of the message."""
        del request
        return json_answer({"code": 200, "msg": "请求成功", "data": str(stored.number)})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with code 903 for a wrong token, otherwise with 999."""
        del request, now
        code, message = _CODES.get(refusal.reason, (_OTHER_CODE, refusal.detail))
        answer = {"code": code, "msg": message, "data": None}
        return json_answer(answer, _STATUS.get(refusal.reason, 200), retry_headers(refusal))


def _fields(request: HookRequest) -> Mapping[str, object]:
    if request.method == "GET":
        return dict(request.query)
    if request.media_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return {**dict(request.query), **request.form()}
    return {**dict(request.query), **request.json_object()}


def _rendered(template: str, content: object) -> Rendered:
    if not isinstance(content, str):
        return Rendered(text=_pretty(content))
    match template:
        case "markdown":
            return markdown_text(content)
        case "json" | "cloudMonitor":
            try:
                return Rendered(text=_pretty(decode_json(content)))
            except Refusal:
                return Rendered(text=content)  # a text that is not JSON is shown as it is
        case "txt":
            return Rendered(text=content)
        case _:
            return html_text(content) if "<" in content or "&" in content else Rendered(text=content)


def _pretty(value: object) -> str:
    if isinstance(value, dict | list):
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return as_string(value)
