"""CloudEvents 1.0 over HTTP: structured, binary and batched. A binary event may come without a content type."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from webwx.gateway.notify.answers import plain_accepted, plain_refused
from webwx.gateway.notify.credentials import path_or_authorization
from webwx.gateway.notify.generic import pretty
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, objects, string

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH = "application/cloudevents-batch+json"
_STRUCTURED = "application/cloudevents+json"
_PREFIX = "ce-"
_METHODS = ("POST", "OPTIONS")
_REQUIRED = ("id", "source", "type")


class CloudEvents:
    """Receiver of CloudEvents."""

    kind = "cloudevents"
    hosts = frozenset[str]()
    routes = (HookRoute("/hooks/cloudevents/{token}", _METHODS), HookRoute("/hooks/cloudevents", _METHODS))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path or of the Authorization header."""
        return path_or_authorization(request)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read an event or a batch, or answer a request for permission to send events."""
        del options, now
        if request.method == "OPTIONS":
            origin = request.header("webhook-request-origin")
            if not origin:
                raise Refusal(RefusalReason.INVALID_FIELD, "The header WebHook-Request-Origin is missing.")
            return HookAnswer(headers={"webhook-allowed-origin": origin, "allow": "OPTIONS, POST"})
        events = _events(request)
        if not events:
            raise Refusal(RefusalReason.EMPTY, "There is no event.")
        if any(not string(event, name) for event in events for name in _REQUIRED):
            raise Refusal(RefusalReason.INVALID_FIELD, "An event needs an id, a source and a type.")
        identity = "\n".join(f"{string(event, 'source')} {string(event, 'id')}" for event in events)
        if len(events) == 1:
            title, text = _title(events[0]), _text(events[0])
        else:
            title, text = f"{len(events)} events", "\n\n".join(f"{_title(event)}\n{_text(event)}" for event in events)
        key = hashlib.sha256(identity.encode()).hexdigest()
        return Notification(title=title, text=text, idempotency_key=key)

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer 202."""
        del request, stored
        return plain_accepted(202)

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a status."""
        del request, now
        return plain_refused(refusal)


def _events(request: HookRequest) -> list[dict[str, object]]:
    if request.media_type == _BATCH:
        batch = request.json()
        if not isinstance(batch, list) or len(objects(batch)) != len(batch):
            raise Refusal(RefusalReason.INVALID_BODY, "The body of a batch must be a list of events.")
        return objects(batch)
    if request.media_type == _STRUCTURED:
        return [request.json_object()]
    attributes: dict[str, object] = {
        name.removeprefix(_PREFIX): value for name, value in request.headers.items() if name.startswith(_PREFIX)
    }
    return [{**attributes, "data": _binary(request)}]


def _binary(request: HookRequest) -> object:
    if not request.body:
        return None
    if request.media_type in {"", "application/json"} or request.media_type.endswith("+json"):
        try:
            return request.json()
        except Refusal:
            if request.media_type:
                raise
    return request.text()


def _title(event: Mapping[str, object]) -> str:
    return string(event, "subject", "type")


def _text(event: Mapping[str, object]) -> str:
    data = event.get("data")
    if isinstance(data, dict):
        return string(data, "msg", "message", "text") or pretty(data)
    return pretty(data)
