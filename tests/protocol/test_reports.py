"""Reports of the page; a report's text is JSON inside a string."""

from __future__ import annotations

from webwx.protocol.hosts import FAMILIES
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, Report, ReportRequest


def test_reports_are_sent_as_by_the_page() -> None:
    sent = ReportRequest(count=1, list=(Report(text='{"type":"[app-runtime]"}'),))
    request = STATREPORT.encode_request(sent, FAMILIES["wx2.qq.com"])

    assert "?fun=new" in request.url
    assert STATREPORT.decode_request(request) == sent


def test_the_repr_of_feedback_shows_no_text() -> None:
    sent = FeedbackRequest(content="私房话")

    assert "私房话" not in repr(sent)
    assert SENDFEEDBACK.decode_request(SENDFEEDBACK.encode_request(sent, FAMILIES["wx2.qq.com"])) == sent
