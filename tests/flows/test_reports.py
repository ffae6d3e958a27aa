"""Feedback and telemetry, which only a page sends."""

from __future__ import annotations

import msgspec
from tests.flows.drive import drive, reply
from tests.saved import LOGIN

from webwx.flows.reports import send_feedback, send_reports
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT


def test_feedback_carries_the_words() -> None:
    _, [request] = drive(send_feedback(LOGIN, "很好"), reply(SENDFEEDBACK))

    assert msgspec.json.decode(request.content)["Content"] == "很好"


def test_reports_are_counted() -> None:
    _, [request] = drive(send_reports(LOGIN, ["{}", "[]"]), reply(STATREPORT))
    body = msgspec.json.decode(request.content)

    assert (body["Count"], [report["Text"] for report in body["List"]]) == (2, ["{}", "[]"])
