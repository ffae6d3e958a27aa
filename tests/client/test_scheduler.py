"""Background jobs: when they run, that no job runs twice at a time, and how they end."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.scheduler import JobScheduler


class Recorder:
    """A job that records when it ran."""

    def __init__(self, *following: float | None, takes: float = 0.0) -> None:
        self.times: list[float] = []
        """Start of each run, by the loop's clock."""
        self.ended: list[float] = []
        """End of each run."""
        self._following = list(following)
        self._takes = takes

    async def run(self) -> float | None:
        now = asyncio.get_running_loop().time
        self.times.append(round(now(), 3))
        if self._takes:
            await asyncio.sleep(self._takes)
        self.ended.append(round(now(), 3))
        return self._following.pop(0) if self._following else None


def test_job_runs_after_its_delay_and_again_as_often_as_it_asks() -> None:
    async def work() -> None:
        scheduler, job = JobScheduler(), Recorder(5, 2.5)
        scheduler.schedule("job", job.run, 10)
        await asyncio.sleep(100)
        assert job.times == [10, 15, 17.5]

    run_with_virtual_clock(work)


def test_interval_begins_when_a_run_has_ended() -> None:
    async def work() -> None:
        scheduler, job = JobScheduler(), Recorder(5, takes=3)
        scheduler.schedule("job", job.run)
        await asyncio.sleep(100)
        assert job.times == [0, 8]

    run_with_virtual_clock(work)


def test_job_that_waits_or_runs_is_not_scheduled_twice() -> None:
    async def work() -> None:
        scheduler, job = JobScheduler(), Recorder(takes=3)
        scheduler.schedule("job", job.run, 10)
        scheduler.schedule("job", job.run, 1)
        await asyncio.sleep(11)
        scheduler.schedule("job", job.run, 1)
        await asyncio.sleep(100)
        assert job.times == [10]

    run_with_virtual_clock(work)


def test_job_that_has_ended_can_be_scheduled_again() -> None:
    async def work() -> None:
        scheduler, job = JobScheduler(), Recorder()
        for _ in range(2):
            scheduler.schedule("job", job.run, 10)
            await asyncio.sleep(20)
        assert job.times == [10, 30]

    run_with_virtual_clock(work)


def test_job_that_is_scheduled_at_the_end_of_its_run_is_not_lost() -> None:
    async def work() -> None:
        scheduler, loop, times = JobScheduler(), asyncio.get_running_loop(), []

        async def job() -> None:
            times.append(loop.time())
            if len(times) == 1:
                loop.call_soon(scheduler.schedule, "job", job, 5)

        scheduler.schedule("job", job, 1)
        await asyncio.sleep(100)
        assert times == [1, 6]

    run_with_virtual_clock(work)


def test_slow_job_delays_no_other() -> None:
    async def work() -> None:
        scheduler, slow, quick = JobScheduler(), Recorder(takes=50), Recorder(1, 1)
        scheduler.schedule("slow", slow.run)
        scheduler.schedule("quick", quick.run)
        await asyncio.sleep(10)
        assert quick.times == [0, 1, 2]
        await scheduler.close()

    run_with_virtual_clock(work)


def test_close_cancels_what_waits_and_what_runs() -> None:
    async def work() -> None:
        scheduler, waiting, running = JobScheduler(), Recorder(), Recorder(1, takes=50)
        scheduler.schedule("waiting", waiting.run, 10)
        scheduler.schedule("running", running.run)
        await asyncio.sleep(1)
        await scheduler.close()
        await asyncio.sleep(100)
        assert (waiting.times, running.times, running.ended) == ([], [0], [])

    run_with_virtual_clock(work)


def test_close_with_grace_lets_a_run_end_and_begins_no_other() -> None:
    async def work() -> None:
        scheduler, quick, slow = JobScheduler(), Recorder(1, takes=5), Recorder(1, takes=50)
        scheduler.schedule("quick", quick.run)
        scheduler.schedule("slow", slow.run)
        await asyncio.sleep(1)
        await scheduler.close(grace=10)
        assert asyncio.get_running_loop().time() == pytest.approx(11)
        await asyncio.sleep(100)
        assert (quick.ended, quick.times, slow.ended) == ([5], [0], [])

    run_with_virtual_clock(work)


def test_cancelled_close_does_not_wait_for_the_grace_period() -> None:
    async def work() -> None:
        scheduler, slow = JobScheduler(), Recorder(takes=50)
        scheduler.schedule("slow", slow.run)
        await asyncio.sleep(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await scheduler.close(grace=10)
        assert scheduler.is_closed
        assert asyncio.get_running_loop().time() == pytest.approx(3)
        assert slow.ended == []

    run_with_virtual_clock(work)


def test_closed_scheduler_takes_new_jobs() -> None:
    async def work() -> None:
        scheduler, job = JobScheduler(), Recorder(5)
        await scheduler.close()
        scheduler.schedule("job", job.run, 1)
        await asyncio.sleep(100)
        assert job.times == [1, 6]
        assert not scheduler.is_closed

    run_with_virtual_clock(work)


def test_error_of_a_job_is_reported_once_and_ends_that_job_only() -> None:
    async def work() -> None:
        errors: list[tuple[str, BaseException]] = []
        scheduler, other = JobScheduler(lambda name, error: errors.append((name, error))), Recorder(5)
        mistake = ValueError("secret")

        async def fail() -> float:
            raise mistake

        scheduler.schedule("broken", fail)
        scheduler.schedule("other", other.run)
        await asyncio.sleep(100)
        assert errors == [("broken", mistake)]
        assert other.times == [0, 5]

    run_with_virtual_clock(work)


def test_error_is_logged_by_its_kind_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async def fail() -> float:
            raise ValueError("secret")

        JobScheduler().schedule("contact lookup", fail)
        await asyncio.sleep(1)

    run_with_virtual_clock(work)
    (record,) = [each for each in caplog.records if each.name == "webwx.client"]
    assert record.levelno == logging.ERROR
    assert (
        record.getMessage() == "The background job 'contact lookup' has failed and does not run any more: ValueError."
    )


def test_repr_counts_jobs() -> None:
    async def work() -> None:
        scheduler = JobScheduler()
        scheduler.schedule("job", Recorder().run, 10)
        assert repr(scheduler) == "JobScheduler(1 waiting, 0 running)"
        await scheduler.close()

    run_with_virtual_clock(work)
