"""
Bark, an app for iPhones: `POST /push` with JSON, and short addresses such as `/<key>/<title>/<body>`.

The names of fields are not case-sensitive. Some clients send a form in the body of a GET.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, as_string, json_answer, retry_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOTH = ("GET", "POST")
_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 400,
    RefusalReason.BAD_SIGNATURE: 401,
    RefusalReason.FORBIDDEN: 403,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 503,
}
_FORMS = ("/{token}", "/{token}/{body}", "/{token}/{title}/{body}", "/{token}/{title}/{subtitle}/{body}")


class Bark:
    """Receiver of Bark's requests."""

    kind = "bark"
    hosts = frozenset({"api.day.app"})
    routes = (
        HookRoute("/push"),
        *(HookRoute(f"{prefix}{form}", _BOTH) for prefix in ("", "/hooks/bark") for form in _FORMS),
        HookRoute("/ping", ("GET",), action="ping", is_public=True),
        HookRoute("/info", ("GET",), action="information", is_public=True),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the key of the path, or `device_key` and `device_keys`."""
        if request.route.action != "send":
            return ()
        if "token" in request.values:
            return (request.values["token"],)
        fields = _fields(request)
        return tuple(filter(None, (as_string(fields.get("device_key")), *_device_keys(fields))))

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message."""
        del options
        match request.route.action:
            case "ping":
                return json_answer({"code": 200, "message": "pong", "timestamp": int(now)})
            case "information":
                return json_answer({"version": "webwx", "build": "", "arch": "", "commit": "", "devices": 0})
        fields = {name: as_string(value) for name, value in _fields(request).items()}
        if fields.get("ciphertext"):
            raise Refusal(RefusalReason.UNSUPPORTED, "An encrypted message cannot be read; switch encryption off.")
        rendered = markdown_text(fields.get("markdown", ""))
        return Notification(
            title=fields.get("title", ""),
            text="\n".join(filter(None, (fields.get("subtitle"), rendered.text or fields.get("body")))),
            link=fields.get("url", ""),
            severity=Severity.CRITICAL if fields.get("level") == "critical" else Severity.NONE,
            files=rendered.pictures,
            file_urls=(fields["image"],) if fields.get("image") else (),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer with code 200, and for several device keys with the result of each."""
        answer: dict[str, object] = {"code": 200, "message": "success", "timestamp": int(stored.at)}
        keys = _device_keys(_fields(request)) if "token" not in request.values else []
        if keys:
            other = {"code": 404, "message": "a request reaches one receiver"}
            answer["data"] = [{"device_key": key, **({"code": 200} if key == request.token else other)} for key in keys]
        return json_answer(answer)

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with the status as code."""
        del request
        status = _STATUS.get(refusal.reason, 400)
        answer = {"code": status, "message": refusal.detail, "timestamp": int(now)}
        return json_answer(answer, status, retry_headers(refusal))


def _device_keys(fields: Mapping[str, object]) -> list[str]:
    match fields.get("device_keys"):
        case list() as keys:
            return [key for key in keys if isinstance(key, str)]
        case str() as keys:
            return [key.strip() for key in keys.split(",") if key.strip()]
        case _:
            return []


def _fields(request: HookRequest) -> dict[str, object]:
    """Return all fields; those of the path override those of the body, which override those of the query."""
    body: Mapping[str, object] = {}
    if request.media_type == "application/json":
        body = request.json_object() if request.body else {}
    elif request.body or request.fields:
        body = request.form()
    path = {name: value for name, value in request.values.items() if name != "token"}
    found: dict[str, object] = {}
    for source in (dict(request.query), body, path):
        found |= {name.lower(): value for name, value in source.items()}
    return found
