"""The common part of alerts from Alertmanager and Grafana: severity, counts, lines and the key of a group."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from webwx.gateway.notify.alerts import alert_lines, counts, group_key, severity_of
from webwx.gateway.notify.notification import Severity


def alert(severity: str = "", status: str = "firing", **more: Any) -> dict[str, Any]:
    return {"status": status, "labels": {"alertname": "A", "severity": severity}, **more}


@pytest.mark.parametrize(
    ("alerts", "severity"),
    [
        ([alert("warning"), alert("critical")], Severity.CRITICAL),
        ([alert("warning"), alert("info")], Severity.WARNING),
        ([alert("info")], Severity.INFORMATION),
        ([alert("warning"), alert("critical", "resolved")], Severity.WARNING),
        ([alert("critical", "resolved")], Severity.GOOD),
        ([alert("own")], Severity.CRITICAL),
        ([{}], Severity.CRITICAL),
    ],
)
def test_the_highest_firing_severity_counts(alerts: list[dict[str, Any]], severity: Severity) -> None:
    assert severity is severity_of(alerts)


def test_alerts_are_counted_by_status() -> None:
    assert counts([alert(), alert(status="resolved"), alert(), {}]) == "3 firing, 1 resolved"


def test_times_and_labels_are_shown() -> None:
    shown = alert_lines(
        [
            {
                "status": "resolved", "labels": {"alertname": "A", "job": "j", "instance": "db1"},
                "annotations": {"summary": "s", "description": "d"},
                "startsAt": "2026-11-28T00:40:00Z", "endsAt": "2026-11-28T01:00:00.123456789Z",
            },
            {"labels": {"severity": "info"}, "startsAt": "never", "endsAt": "0001-01-01T00:00:00Z"},
        ],
        {"job": "j"},
        UTC,
    )  # fmt: skip
    assert shown == "resolved instance=db1\ns\nd\nsince 11-28 00:40 until 11-28 01:00\n\ninfo"


def test_only_the_first_alerts_are_shown() -> None:
    shown = alert_lines([alert("info")] * 12, {}, UTC)
    assert shown.endswith("info\n\n… and 2 more")
    assert shown.count("info") == 10


def test_a_repeated_request_has_the_same_key_and_a_reminder_another() -> None:
    group = {"groupKey": "k", "status": "firing", "alerts": [alert(fingerprint="1"), alert(fingerprint="2")]}
    turned = {**group, "alerts": group["alerts"][::-1]}
    assert group_key(group, 7200.0) == group_key(turned, 10_799.0)
    changed = [
        (group, 10_800.0),
        ({**group, "status": "resolved"}, 7200.0),
        (
            {**group, "alerts": [alert(fingerprint="1", startsAt="2026-01-01T00:00:00Z"), alert(fingerprint="2")]},
            7200.0,
        ),
    ]
    assert all(group_key(group, 7200.0) != group_key(other, now) for other, now in changed)
