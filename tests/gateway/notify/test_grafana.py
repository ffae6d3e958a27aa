"""Grafana: title, message, links, signatures, and payloads of the owner's own."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from tests.gateway.notify.exchange import NOW, TOKEN, post

from webwx.gateway.notify.receiver import ReceiverOptions

TARGET = f"/hooks/grafana/{TOKEN}"
PAYLOAD = {
    "receiver": "phone", "status": "firing", "orgId": 1, "version": "1", "groupKey": "k", "externalURL": "http://grafana/",
    "title": "[FIRING:1] CPU", "state": "alerting", "message": "**Firing**\nCPU is high", "groupLabels": {},
    "alerts": [
        {
            "status": "firing", "labels": {"alertname": "CPU", "severity": "critical"}, "annotations": {},
            "panelURL": "http://grafana/d/1?viewPanel=2", "dashboardURL": "http://grafana/d/1", "silenceURL": "",
            "fingerprint": "f", "startsAt": "2026-11-28T00:00:00Z",
        }
    ],
}  # fmt: skip


def test_title_message_and_links_are_shown() -> None:
    assert post("grafana", TARGET, PAYLOAD).text == (
        "🔴 [FIRING:1] CPU\n\n**Firing**\nCPU is high\nhttp://grafana/d/1?viewPanel=2\nhttp://grafana/d/1"
    )


def test_three_links_are_shown() -> None:
    alerts = [{"status": "firing", "panelURL": f"http://grafana/{number}"} for number in range(5)]
    text = post("grafana", TARGET, {**PAYLOAD, "alerts": alerts}).text
    assert [line for line in text.splitlines() if line.startswith("http")] == [f"http://grafana/{n}" for n in range(3)]


def test_without_a_message_the_alerts_are_shown() -> None:
    text = post("grafana", TARGET, {**PAYLOAD, "message": "", "alerts": [{"status": "resolved"}]}).text
    assert text == "🟢 [FIRING:1] CPU\n\nresolved\nhttp://grafana/"


def test_an_own_payload_is_read_like_json() -> None:
    assert post("grafana", TARGET, {"title": "T", "text": "own"}).text == "T\n\nown"


BODY = json.dumps(PAYLOAD).encode()


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        (ReceiverOptions(secret="s"), {}, 401),
        (ReceiverOptions(secret="s"), {"x-grafana-alerting-signature": "BODY"}, 200),
        (ReceiverOptions(secret="s", signature_header="x-own"), {"x-own": "BODY"}, 200),
        (ReceiverOptions(secret="s", timestamp_header="x-time"), {"x-grafana-alerting-signature": "BODY"}, 401),
        (
            ReceiverOptions(secret="s", timestamp_header="x-time"),
            {"x-grafana-alerting-signature": "TIME", "x-time": str(int(NOW))},
            200,
        ),
        (
            ReceiverOptions(secret="s", timestamp_header="x-time"),
            {"x-grafana-alerting-signature": "OLD", "x-time": str(int(NOW) - 300)},
            200,
        ),
        (
            ReceiverOptions(secret="s", timestamp_header="x-time"),
            {"x-grafana-alerting-signature": "LATE", "x-time": str(int(NOW) - 301)},
            401,
        ),
    ],
)
def test_a_signature_is_checked(options: ReceiverOptions, headers: dict[str, str], status: int) -> None:
    signed = {
        "BODY": hmac.new(b"s", BODY, hashlib.sha256).hexdigest(),
        **{
            name: hmac.new(b"s", f"{int(NOW) - age}:".encode() + BODY, hashlib.sha256).hexdigest()
            for name, age in {"TIME": 0, "OLD": 300, "LATE": 301}.items()
        },
    }
    sent = {name: signed.get(value, value) for name, value in headers.items()}
    assert status == post("grafana", TARGET, BODY, headers=sent, options=options).answer.status
