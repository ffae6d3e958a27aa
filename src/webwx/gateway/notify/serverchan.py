"""ServerChan (Server酱): `/<key>.send` with `title` and Markdown in `desp`."""

from __future__ import annotations

from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, json_answer, retry_headers, string

_BOTH = ("GET", "POST")
_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 401,
    RefusalReason.BAD_SIGNATURE: 401,
    RefusalReason.FORBIDDEN: 403,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 503,
}


class ServerChan:
    """Receiver of ServerChan's requests."""

    kind = "serverchan"
    hosts = frozenset({"sctapi.ftqq.com", "sc.ftqq.com", "*.push.ft07.com"})
    routes = (
        HookRoute("/{token}.send", _BOTH),
        HookRoute("/send/{token}.send", _BOTH),
        HookRoute("/send/{token}", _BOTH),
        HookRoute("/hooks/serverchan/{token}", _BOTH),
        HookRoute("/hooks/serverchan/{token}.send", _BOTH),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the key of the path."""
        return (request.values["token"],)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message; the title is `title`, or `text` of older clients."""
        del options, now
        fields: dict[str, object] = dict(request.query)
        if request.media_type == "application/json":
            fields |= request.json_object()
        elif request.method == "POST":
            fields |= request.form()
        rendered = markdown_text(string(fields, "desp"))
        return Notification(
            title=string(fields, "title", "text"),
            text=rendered.text or string(fields, "short"),
            files=rendered.pictures,
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer code 0 with the message's number as `pushid`."""
        del request
        pushed = {"pushid": str(stored.number), "readkey": "", "error": "SUCCESS", "errno": 0}
        return json_answer({"code": 0, "message": "", "data": pushed})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer code 40001."""
        del request, now
        answer = {"code": 40001, "message": refusal.detail, "info": refusal.detail, "args": [None]}
        return json_answer(answer, _STATUS.get(refusal.reason, 400), retry_headers(refusal))
