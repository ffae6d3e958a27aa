"""Feedback and telemetry that the platform's page sends. This client sends none; a server must know the calls."""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import Wire
from webwx.protocol.endpoint import Endpoint, InQuery
from webwx.protocol.hosts import Host
from webwx.protocol.login import Credentials, Reply


class FeedbackRequest(Wire, frozen=True, kw_only=True):
    """A user's words to the platform."""

    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    machine_type: str = "webwx"
    content: str = ""
    report_type: int = 0

    def __repr__(self) -> str:
        return "FeedbackRequest(***)"


SENDFEEDBACK = Endpoint(
    name="webwxsendfeedback", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendfeedback",
    request=FeedbackRequest, reply=Reply, repeatable=False, purpose="a user's words to the platform",
)  # fmt: skip


class Report(Wire, frozen=True, kw_only=True):
    """One report; `text` is JSON inside a string."""

    type: int = 1
    text: str = ""


class ReportRequest(Wire, frozen=True, kw_only=True):
    """The page's own telemetry."""

    fun: InQuery[str] = "new"
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    count: int = 0
    list: tuple[Report, ...] = ()

    def __repr__(self) -> str:
        return f"ReportRequest(count={self.count})"


STATREPORT = Endpoint(
    name="webwxstatreport", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxstatreport",
    request=ReportRequest, reply=Reply, purpose="the page's telemetry",
)  # fmt: skip
