"""Prometheus Alertmanager's webhook, version 4. Fields of newer versions are ignored."""

from __future__ import annotations

from webwx.gateway.notify.alerts import alert_lines, counts, group_key, severity_of
from webwx.gateway.notify.answers import plain_accepted, plain_refused
from webwx.gateway.notify.credentials import path_or_authorization
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, inner, objects, string


class Alertmanager:
    """Receiver of groups of alerts."""

    kind = "alertmanager"
    hosts = frozenset[str]()
    routes = (HookRoute("/hooks/alertmanager/{token}"), HookRoute("/hooks/alertmanager"))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path or of the Authorization header."""
        return path_or_authorization(request)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a group of alerts."""
        payload = request.json_object()
        alerts = objects(payload.get("alerts"))
        if not alerts:
            raise Refusal(RefusalReason.EMPTY, "The group has no alerts.")
        group = inner(payload, "groupLabels")
        name = string(inner(payload, "commonLabels"), "alertname") or string(group, "alertname")
        return Notification(
            title=" ".join(filter(None, (f"[{counts(alerts)}]", name))),
            text=alert_lines(alerts, group, options.zone),
            link=string(alerts[0], "generatorURL") or string(payload, "externalURL"),
            severity=severity_of(alerts),
            idempotency_key=group_key(payload, now),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer 200."""
        del request, stored
        return plain_accepted()

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a status; Alertmanager tries again after 5xx and 429 only."""
        del request, now
        return plain_refused(refusal)
