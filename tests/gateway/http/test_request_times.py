"""The histogram of the seconds of requests."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from webwx.bot.metrics import Metrics
from webwx.gateway.http.request_times import BUCKETS, RequestTimes


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer like a stream: the beginning, and two pieces."""
    del receive
    scope["path_template"] = "/stream/{name}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for has_more in (True, False):
        await send({"type": "http.response.body", "body": b"x", "more_body": has_more})


async def samples_of(times: RequestTimes) -> dict[tuple[str, ...], float]:
    """Return the samples by name and values of labels."""
    metrics = Metrics()
    times.add_to(metrics)
    families = text_string_to_metric_families((await metrics.text()).decode())
    [histogram] = [family for family in families if family.name == "webwx_http_request_seconds"]
    return {
        (each.name.rpartition("_")[2], *(each.labels[name] for name in sorted(each.labels))): each.value
        for each in histogram.samples
    }


async def test_a_stream_counts_once_when_its_answer_begins() -> None:
    times = RequestTimes(answer)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await times({"type": "http", "method": "GET", "path": "/stream/secret"}, None, send)  # type: ignore[arg-type]  # what it reads
    samples = await samples_of(times)

    assert len(sent) == 3
    assert samples["count", "GET", "/stream/{name}", "2xx"] == 1


async def test_each_request_is_in_the_bucket_of_its_seconds() -> None:
    times = RequestTimes(answer)
    for seconds in (0.0, 0.001, 0.002, 99.0):
        times.add("GET", "/r", 201, seconds)
    samples = await samples_of(times)

    assert samples["bucket", "0.001", "GET", "/r", "2xx"] == 2
    assert samples["bucket", "0.0025", "GET", "/r", "2xx"] == 3
    assert samples["bucket", str(BUCKETS[-1]), "GET", "/r", "2xx"] == 3
    assert samples["bucket", "+Inf", "GET", "/r", "2xx"] == 4
    assert samples["sum", "GET", "/r", "2xx"] == pytest.approx(99.003)


async def test_methods_and_paths_of_clients_make_no_labels() -> None:
    times = RequestTimes(answer)
    for number in range(100):
        times.add(f"METHOD{number}", "", 404, 0.0)

    assert (await samples_of(times))["count", "other", "other", "4xx"] == 100
