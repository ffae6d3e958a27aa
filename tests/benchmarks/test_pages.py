"""The tasks that the benchmark of the pages reads from a trace of Chromium."""

from __future__ import annotations

import json

from benchmarks.pages import TASK, Task, tasks_of


def test_only_the_tasks_of_the_main_threads_of_pages_count() -> None:
    def thread(tid: int, name: str) -> dict[str, object]:
        return {"ph": "M", "name": "thread_name", "pid": 7, "tid": tid, "args": {"name": name}}

    def task(tid: int, name: str = TASK, **times: int) -> dict[str, object]:
        return {"ph": "X", "name": name, "pid": 7, "tid": tid, **times}

    events = [
        thread(1, "CrRendererMain"),
        thread(2, "Compositor"),
        task(1, dur=59_000, tdur=13_000),
        task(1, dur=4_000, tdur=3_500),
        task(2, dur=90_000, tdur=80_000),
        task(1, "SimpleWatcher::OnHandleReady", dur=59_000, tdur=13_000),
        task(1, dur=70_000),  # the thread's clock was not read: the task had begun before the trace
    ]

    assert tasks_of(json.dumps({"traceEvents": events}).encode()) == [Task(59, 13), Task(4, 3.5)]
