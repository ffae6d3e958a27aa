"""Feedback and telemetry: accepted, and not stored."""

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
    """Accept telemetry, which the page sends before a login too."""
    del call, request
    return Reply()
