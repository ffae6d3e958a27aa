"""Alertmanager: one message for a group."""

from __future__ import annotations

from tests.gateway.notify.exchange import TOKEN, post

GROUP = {
    "receiver": "phone", "status": "firing", "version": "4", "groupKey": '{}:{alertname="DiskFull"}',
    "truncatedAlerts": 0, "groupLabels": {"alertname": "DiskFull"}, "commonLabels": {"alertname": "DiskFull"},
    "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "newField": {},
    "alerts": [
        {
            "status": "firing", "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "warning"},
            "annotations": {"summary": "Disk almost full", "description": "90 % used"},
            "startsAt": "2026-11-28T00:40:21.123Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph", "fingerprint": "a1",
        },
        {
            "status": "resolved", "labels": {"alertname": "DiskFull", "instance": "db2", "severity": "warning"},
            "annotations": {}, "startsAt": "2026-11-28T00:00:00Z", "endsAt": "2026-11-28T00:30:00Z",
            "generatorURL": "", "fingerprint": "a2",
        },
    ],
}  # fmt: skip


def test_a_group_is_one_message() -> None:
    done = post("alertmanager", f"/hooks/alertmanager/{TOKEN}", GROUP)
    assert done.text == (
        "🟠 [1 firing, 1 resolved] DiskFull\n\n"
        "warning instance=db1\nDisk almost full\n90 % used\nsince 11-28 00:40\n\n"
        "resolved instance=db2\nsince 11-28 00:00 until 11-28 00:30\n"
        "http://prometheus:9090/graph"
    )
    assert done.answer.status == 200


def test_the_token_may_be_in_the_header() -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert post("alertmanager", "/hooks/alertmanager", GROUP, headers=headers).answer.status == 200
