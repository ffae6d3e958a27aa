"""Feedback and telemetry: taken, and kept nowhere."""

from __future__ import annotations

from webwx.protocol.login import Reply
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, ReportRequest
from webwx.sandbox.call import Call, handles


@handles(SENDFEEDBACK)
def take_feedback(call: Call, request: FeedbackRequest) -> Reply:
    """Accept a report."""
    del call, request
    return Reply()


@handles(STATREPORT)
def take_reports(call: Call, request: ReportRequest) -> Reply:
    """Take telemetry; the page sends it before anybody has logged in, too."""
    del call, request
    return Reply()
