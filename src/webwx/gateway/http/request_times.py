"""
How long requests take until their answer begins, by route: a histogram for Prometheus.

A stream or a download counts until its answer begins, so a reader that stays connected is not a slow request. Labels
are bounded: a route is its template, such as `/api/v1/accounts/{account}`, never a path that a client has sent.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from litestar.enums import ScopeType

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from webwx.bot.metrics import Metrics

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper limits in seconds of the histogram."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

_UNKNOWN = "other"
"""Label of a method or a path that no route has."""


class _Series:
    """The requests with the same labels."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        """Number of requests in each bucket; the last one has no upper limit."""
        self.seconds = 0.0
        """Sum of the seconds."""


class RequestTimes:
    """
    An application that measures the requests to another one.

    Args:
        app: The application that answers. It stores the template of the route as `path_template` in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._series: dict[tuple[str, str, str], _Series] = {}
        """The requests by method, route and class of the status."""

    def __repr__(self) -> str:
        return f"RequestTimes({len(self._series)})"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, and measure it; pass on everything else."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        def send_measured(message: Message) -> Awaitable[None]:  # no coroutine of its own: streams send a lot
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - begun
                self.add(scope["method"], scope.get("path_template", ""), message["status"], seconds)
            return send(message)

        await self._app(scope, receive, send_measured)

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """
        Count a request.

        Args:
            method: Method of the request.
            route: Template of its route; empty: no route has its path.
            status: Status of its answer.
            seconds: Seconds until the answer began.
        """
        labels = (method if method in _METHODS else _UNKNOWN, route or _UNKNOWN, f"{status // 100}xx")
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series()
        series.counts[bisect_left(BUCKETS, seconds)] += 1
        series.seconds += seconds

    def add_to(self, metrics: Metrics) -> None:
        """Add the histogram to the metrics of an answer."""
        metrics.add_histogram(
            "webwx_http_request_seconds", "Seconds until the answer to a request began.",
            ("method", "route", "status"), BUCKETS,
            [(labels, series.counts, series.seconds) for labels, series in self._series.items()],
        )  # fmt: skip
