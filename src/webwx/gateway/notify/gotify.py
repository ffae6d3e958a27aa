"""Gotify: `POST /message` with an application's token in the query or a header."""

from __future__ import annotations

from datetime import UTC, datetime

from webwx.gateway.notify.credentials import authorization_tokens
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import Rendered, markdown_text
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, inner, json_answer, retry_headers, string

_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (401, "Unauthorized"),
    RefusalReason.BAD_SIGNATURE: (401, "Unauthorized"),
    RefusalReason.FORBIDDEN: (403, "Forbidden"),
    RefusalReason.TOO_LARGE: (413, "Request Entity Too Large"),
    RefusalReason.RATE_LIMITED: (429, "Too Many Requests"),
    RefusalReason.OFFLINE: (503, "Service Unavailable"),
}


class Gotify:
    """Receiver of Gotify's messages."""

    kind = "gotify"
    hosts = frozenset[str]()
    routes = (
        HookRoute("/message"),
        HookRoute("/hooks/gotify/{token}"),
        HookRoute("/hooks/gotify/{token}/message"),
        HookRoute("/version", ("GET",), action="version", is_public=True),
        HookRoute("/health", ("GET",), action="health", is_public=True),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path, of the query, of `X-Gotify-Key` or of the Authorization header."""
        if request.route.action != "send":
            return ()
        found = (
            request.values.get("token", ""),
            request.query_value("token"),
            request.header("x-gotify-key"),
            *authorization_tokens(request.header("authorization")),
        )
        return tuple(filter(None, found))

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message."""
        del options, now
        match request.route.action:
            case "version":
                return json_answer({"version": "2.6.0", "commit": "", "buildDate": ""})
            case "health":
                return json_answer({"health": "green", "database": "green"})
        fields = _fields(request)
        text, extras = string(fields, "message"), inner(fields, "extras")
        if not text:
            raise Refusal(RefusalReason.EMPTY, "Field 'message' is required")
        is_markdown = string(inner(extras, "client::display"), "contentType") == "text/markdown"
        rendered = markdown_text(text) if is_markdown else Rendered(text=text)
        return Notification(
            title=string(fields, "title"),
            text=rendered.text,
            link=string(inner(inner(extras, "client::notification"), "click"), "url"),
            files=rendered.pictures,
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer with the message, its number and its time."""
        fields = _fields(request)
        priority = string(fields, "priority")
        return json_answer(
            {
                "id": stored.number,
                "appid": 1,
                "message": string(fields, "message"),
                "title": string(fields, "title"),
                "priority": int(priority) if priority.isdecimal() and len(priority) < 4 else 0,
                "date": datetime.fromtimestamp(stored.at, UTC).isoformat().replace("+00:00", "Z"),
            }
        )

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with the status and a sentence."""
        del request, now
        status, error = _ERRORS.get(refusal.reason, (400, "Bad Request"))
        answer = {"error": error, "errorCode": status, "errorDescription": refusal.detail}
        return json_answer(answer, status, retry_headers(refusal))


def _fields(request: HookRequest) -> dict[str, object]:
    if request.media_type == "application/json":
        return request.json_object()
    return {**dict(request.query), **request.form()}
