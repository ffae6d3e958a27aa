"""
Grafana's webhook contact point.

Its signature is a hexadecimal HMAC-SHA256 of the body; of `<time>:<body>` when a header for the time is configured.
"""

from __future__ import annotations

from webwx.gateway.notify.alerts import alert_lines, group_key, severity_of
from webwx.gateway.notify.answers import plain_accepted, plain_refused
from webwx.gateway.notify.credentials import check_hmac, path_or_authorization
from webwx.gateway.notify.generic import read_json
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import HookAnswer, HookRequest, HookRoute, inner, objects, string

SIGNATURE_HEADER = "x-grafana-alerting-signature"
"""Header of the signature, unless the receiver names another."""
TOLERANCE = 300.0
"""Maximum difference in seconds between a signed time and the present."""
MOST_LINKS = 3
"""Maximum number of links below the text."""


class Grafana:
    """Receiver of Grafana's notifications."""

    kind = "grafana"
    hosts = frozenset[str]()
    routes = (HookRoute("/hooks/grafana/{token}", ("POST", "PUT")), HookRoute("/hooks/grafana", ("POST", "PUT")))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path or of the Authorization header."""
        return path_or_authorization(request)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a notification; a custom payload is read like generic JSON."""
        if options.secret:
            _check_signature(request, options, now)
        payload = request.json_object()
        alerts = objects(payload.get("alerts"))
        if not alerts:
            return read_json(payload, options.template)
        links = [string(alert, name) for alert in alerts for name in ("panelURL", "dashboardURL", "silenceURL")]
        text = string(payload, "message") or alert_lines(alerts, inner(payload, "groupLabels"), options.zone)
        new = [link for link in dict.fromkeys(links) if link and link not in text][:MOST_LINKS]
        return Notification(
            title=string(payload, "title"),
            text="\n".join((text, *new)),
            link="" if new else string(payload, "externalURL"),
            severity=severity_of(alerts),
            idempotency_key=group_key(payload, now),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer 200."""
        del request, stored
        return plain_accepted()

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer a status."""
        del request, now
        return plain_refused(refusal)


def _check_signature(request: HookRequest, options: ReceiverOptions, now: float) -> None:
    signed = request.body
    if options.timestamp_header:
        at = request.header(options.timestamp_header)
        if not at.isdecimal() or len(at) > 12 or abs(now - int(at)) > TOLERANCE:
            raise Refusal(RefusalReason.BAD_SIGNATURE)
        signed = at.encode() + b":" + signed
    check_hmac(signed, options.secret, request.header(options.signature_header or SIGNATURE_HEADER))
