"""Generic JSON, forms and texts, shown by a template or by the usual names of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.notify.answers import plain_accepted, plain_refused
from webwx.gateway.notify.credentials import check_standard_webhook, path_or_authorization
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import MAX_BODY_WITH_FILES, HookAnswer, HookRequest, HookRoute, as_string, string

if TYPE_CHECKING:
    from webwx.gateway.notify.template import Template

LONGEST_JSON = 1500
"""Maximum number of characters of JSON that is shown without a template."""

_TITLES = ("title", "subject", "name", "event")
_TEXTS = ("text", "message", "content", "body", "msg", "description", "summary")
_METHODS = ("POST", "PUT", "GET")


class GenericJson:
    """Receiver of any JSON, form or text."""

    kind = "json"
    hosts = frozenset[str]()
    routes = (
        HookRoute("/hooks/json/{token}", _METHODS, max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/hooks/json", _METHODS, max_bytes=MAX_BODY_WITH_FILES),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path or of the Authorization header."""
        return path_or_authorization(request)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message, or the query of a GET if the receiver allows that."""
        if options.secret:
            check_standard_webhook(request, options.secret, now)
        if request.method == "GET":
            if not options.allows_get:
                raise Refusal(RefusalReason.FORBIDDEN, "This receiver does not accept a message in the query of a GET.")
            return read_json(dict(request.query), options.template)
        if request.media_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            found = read_json(request.form(), options.template)
            files = tuple(file for _, file in request.files)
            return Notification(title=found.title, text=found.text, files=files)
        if request.media_type == "application/json" or request.media_type.endswith("+json"):
            return read_json(request.json(), options.template)
        return Notification(title=request.query_value("title"), text=request.text())

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer 200."""
        del request, stored
        return plain_accepted()

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a status."""
        del request, now
        return plain_refused(refusal)


def read_json(value: object, template: Template | None) -> Notification:
    """Return the notification of a decoded JSON value."""
    if template is not None:
        return Notification(text=template.render(value))
    if not isinstance(value, dict):
        return Notification(text=value if isinstance(value, str) else pretty(value))
    title, text = string(value, *_TITLES), string(value, *_TEXTS)
    return Notification(title=title, text=text or ("" if title else pretty(value)))


def pretty(value: object) -> str:
    """Return a decoded JSON value with line breaks, cut at `LONGEST_JSON`; empty for an empty value."""
    if not value:
        return ""
    if not isinstance(value, dict | list):
        return as_string(value)
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return text if len(text) <= LONGEST_JSON else f"{text[:LONGEST_JSON]}…"
