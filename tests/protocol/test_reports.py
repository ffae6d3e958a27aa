"""Reports of the page; a report's text is JSON inside a string."""

from __future__ import annotations

from webwx.protocol.hosts import FAMILIES
from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, Report, ReportRequest


def test_reports_go_out_as_the_page_sends_them() -> None:
    sent = ReportRequest(count=1, list=(Report(text='{"type":"[app-runtime]"}'),))
    request = STATREPORT.encode_request(sent, FAMILIES["wx2.qq.com"])

    assert "?fun=new" in request.url
    assert STATREPORT.decode_request(request) == sent


def test_words_to_the_platform_are_not_shown_by_a_repr() -> None:
    sent = FeedbackRequest(content="私房话")

    assert "私房话" not in repr(sent)
    assert SENDFEEDBACK.decode_request(SENDFEEDBACK.encode_request(sent, FAMILIES["wx2.qq.com"])) == sent
