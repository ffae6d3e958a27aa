"""Feedback and telemetry. No verb of the client uses them: what a page tells about its user is not ours to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.flows.call import Flow, call
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, Report, ReportRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.model.login import Login


def send_feedback(login: Login, words: str) -> Flow[None]:
    """
    Tell the platform something.

    Wire: webwxsendfeedback

    """
    request = FeedbackRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, content=words)
    yield from call(SENDFEEDBACK, request, login.hosts)


def send_reports(login: Login, texts: Sequence[str]) -> Flow[None]:
    """
    Send telemetry as the page does. The client never does.

    Wire: webwxstatreport

    """
    reports = tuple(Report(text=text) for text in texts)
    request = ReportRequest(credentials=login.credentials, count=len(reports), list=reports)
    yield from call(STATREPORT, request, login.hosts)
