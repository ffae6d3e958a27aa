from __future__ import annotations

from tests.sandbox.conftest import Page

from webwx.protocol.reports import SENDFEEDBACK, STATREPORT, FeedbackRequest, ReportRequest


def test_reports_are_accepted_with_or_without_a_login(page: Page) -> None:
    assert page.call(SENDFEEDBACK, FeedbackRequest(content="很好")).base_response.ret == 0
    assert page.call(STATREPORT, ReportRequest()).base_response.ret == 0
