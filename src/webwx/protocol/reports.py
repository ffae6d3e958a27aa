"""Feedback and telemetry of the platform's page. webwx sends none; the sandbox accepts both."""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import Wire
from webwx.protocol.endpoint import Endpoint, InQuery
from webwx.protocol.hosts import Host
from webwx.protocol.login import Credentials, Reply


class FeedbackRequest(Wire, frozen=True, kw_only=True):
    """Send a user's feedback to the platform."""

    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    machine_type: str = "webwx"
    content: str = ""
    report_type: int = 0

    def __repr__(self) -> str:
        return "FeedbackRequest(***)"


SENDFEEDBACK = Endpoint(
    name="webwxsendfeedback", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendfeedback",
    request=FeedbackRequest, reply=Reply, repeatable=False, purpose="send feedback",
)  # fmt: skip


class Report(Wire, frozen=True, kw_only=True):
    """One report; `text` is JSON inside a string."""

    type: int = 1
    text: str = ""


class ReportRequest(Wire, frozen=True, kw_only=True):
    """Send the page's telemetry."""

    fun: InQuery[str] = "new"
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    count: int = 0
    list: tuple[Report, ...] = ()

    def __repr__(self) -> str:
        return f"ReportRequest(count={self.count})"


STATREPORT = Endpoint(
    name="webwxstatreport", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxstatreport",
    request=ReportRequest, reply=Reply, purpose="send the page's telemetry",
)  # fmt: skip
