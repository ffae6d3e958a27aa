"""Alerts as text: what Alertmanager and Grafana have in common."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.notify.message import local_time
from webwx.gateway.notify.notification import Severity
from webwx.gateway.notify.request import as_string, inner, objects, string

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

MOST_ALERTS = 10
"""Maximum number of alerts of a group that are shown."""
REPEAT_SECONDS = 3600
"""Seconds in which the same state of a group counts as a repeated request; later it counts as a reminder."""

_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "error": Severity.CRITICAL,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "info": Severity.INFORMATION,
    "none": Severity.INFORMATION,
}
_ORDER = (Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION)
_HIDDEN_LABELS = {"alertname", "severity", "__alert_rule_uid__", "grafana_folder"}


def severity_of(alerts: Sequence[Mapping[str, object]]) -> Severity:
    """Return the highest severity of the firing alerts; one without a known severity is critical."""
    firing = [alert for alert in alerts if string(alert, "status") != "resolved"]
    if not firing:
        return Severity.GOOD
    found = {_SEVERITIES.get(string(inner(alert, "labels"), "severity").lower(), Severity.CRITICAL) for alert in firing}
    return next(severity for severity in _ORDER if severity in found)


def counts(alerts: Sequence[Mapping[str, object]]) -> str:
    """Return how many alerts there are of each status, such as `2 firing, 1 resolved`."""
    found = Counter(string(alert, "status") or "firing" for alert in alerts)
    return ", ".join(f"{number} {status}" for status, number in sorted(found.items()))


def alert_lines(alerts: Sequence[Mapping[str, object]], group: Mapping[str, object], zone: tzinfo) -> str:
    """Return the first alerts, each with its severity, labels, annotations and time."""
    shown = [_alert(alert, group, zone) for alert in alerts[:MOST_ALERTS]]
    if len(alerts) > MOST_ALERTS:
        shown.append(f"… and {len(alerts) - MOST_ALERTS} more")
    return "\n\n".join(filter(None, shown))


def _alert(alert: Mapping[str, object], group: Mapping[str, object], zone: tzinfo) -> str:
    labels, annotations = inner(alert, "labels"), inner(alert, "annotations")
    is_resolved = string(alert, "status") == "resolved"
    state = "resolved" if is_resolved else string(labels, "severity")
    names = [
        f"{name}={as_string(value)}"
        for name, value in labels.items()
        if name not in group and name not in _HIDDEN_LABELS
    ]
    lines = [" ".join(filter(None, (state, *names)))]
    lines += [string(annotations, "summary"), string(annotations, "description", "message")]
    times = [
        f"{word} {local_time(at, zone)}"
        for word, at in (
            ("since", _time(alert, "startsAt")),
            ("until", _time(alert, "endsAt") if is_resolved else None),
        )
        if at is not None
    ]
    return "\n".join(filter(None, (*lines, " ".join(times))))


def _time(alert: Mapping[str, object], name: str) -> float | None:
    """Return a time in seconds since 1970; None for the year 1, which stands for "no time"."""
    try:
        at = msgspec.convert(string(alert, name), datetime)
    except msgspec.ValidationError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.timestamp() if at.year > 1 else None


def group_key(payload: Mapping[str, object], now: float) -> str:
    """
    Return the idempotency key of a group's state.

    A repeated request has the same key; a reminder, which Alertmanager sends after `repeat_interval`, has another.
    """
    alerts = sorted(
        [string(alert, name) for name in ("fingerprint", "status", "startsAt", "endsAt")]
        for alert in objects(payload.get("alerts"))
    )
    state = [string(payload, "groupKey"), string(payload, "status"), alerts, int(now // REPEAT_SECONDS)]
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()
