"""Feedback and telemetry: taken, and kept nowhere."""

from __future__ import annotations

from webwx.protocol.login import Reply
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, ReportRequest
from webwx.sandbox.visit import Visit, handles


@handles(SENDFEEDBACK)
def take_feedback(visit: Visit, request: FeedbackRequest) -> Reply:
    """Take somebody's words."""
    del visit, request
    return Reply()


@handles(STATREPORT)
def take_reports(visit: Visit, request: ReportRequest) -> Reply:
    """Take telemetry; the page sends it before anybody has logged in, too."""
    del visit, request
    return Reply()
