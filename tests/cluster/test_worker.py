"""A worker: when the work of an account begins, ends, is handed over and is repeated."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from webwx.cluster.owned_accounts import OwnedAccounts
from webwx.cluster.ownership import Ownership
from webwx.cluster.worker import ClusterWorker
from webwx.errors import StorageError
from webwx.storage.refusals import Fence


class Released(Ownership):
    """An ownership whose accounts a test gains and loses."""

    def __init__(self, *accounts: int) -> None:
        self.owned = OwnedAccounts()
        self.is_draining = asyncio.Event()
        self.accounts = accounts
        self.released: dict[int, bool] = {}

    def fence(self, account: int) -> Fence:
        return Fence(account=account, epoch=self.owned.epoch_of(account) or 0)

    async def join(self, address: str, *, capacity: int) -> None:
        for account in self.accounts:
            self.owned.gain(account, 1)

    async def release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        if self.owned.remove(account, epoch):
            self.released[account] = is_wanted

    async def leave(self) -> None:
        self.owned.hand_over(len(self.owned))
        await self.owned.wait_until_empty()
        self.owned.end()


class Recorded:
    """Work that lasts until its last cancellation."""

    def __init__(self, cancellations: int = 1, failures: int = 0, *, ends_with_error: bool = False) -> None:
        self._ends_with_error = ends_with_error
        self._cancellations = cancellations
        self._failures = failures
        self.log: list[str] = []
        self.login_ends = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self, account: int) -> None:
        self._note(f"begin {account}")
        if self._failures:
            self._failures -= 1
            raise StorageError("The database does not answer.")
        for _ in range(self._cancellations):
            try:
                await self.login_ends.wait()
            except asyncio.CancelledError:
                self._note(f"cancel {account}")
            else:
                return
        if self._ends_with_error:
            raise StorageError("The end could not be stored.")
        raise asyncio.CancelledError

    def _note(self, line: str) -> None:
        self.log.append(line)
        self._changed.set()

    async def until(self, *lines: str) -> None:
        """Wait until exactly these lines are noted."""
        while self.log != list(lines):
            self._changed.clear()
            await self._changed.wait()


async def stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_worker_hands_its_accounts_over_after_their_work() -> None:
    ownership, work = Released(1, 2), Recorded()
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1", "begin 2")
    await stop(running)
    assert ownership.released == {1: True, 2: True}
    assert sorted(work.log[2:]) == ["cancel 1", "cancel 2"]


async def test_a_second_cancellation_does_not_wait_for_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webwx.cluster.worker._PATIENCE", 3600)
    ownership, work = Released(1), Recorded(cancellations=2)
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    running.cancel()
    await work.until("begin 1", "cancel 1")
    assert not ownership.released
    await stop(running)
    assert ownership.released == {1: True}


async def test_an_account_that_fails_at_its_end_is_handed_over() -> None:
    ownership, work = Released(1), Recorded(ends_with_error=True)
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    await stop(running)
    assert ownership.released == {1: True}
    assert work.log == ["begin 1", "cancel 1"]


async def test_a_drained_worker_ends_by_itself() -> None:
    ownership, work = Released(1), Recorded()
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    ownership.is_draining.set()
    await running
    assert ownership.released == {1: True}


async def test_the_work_of_a_lost_account_ends_without_waiting_and_is_not_released() -> None:
    ownership, work = Released(1), Recorded(cancellations=3)
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    ownership.owned.lose(1)
    await work.until("begin 1", "cancel 1", "cancel 1", "cancel 1")
    await stop(running)
    assert ownership.released == {}


async def test_an_account_that_is_gained_again_begins_after_its_earlier_work_has_ended() -> None:
    ownership, work = Released(1), Recorded(cancellations=2)
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    ownership.owned.gain(1, 3)
    await work.until("begin 1", "cancel 1", "cancel 1", "begin 1")
    ownership.owned.lose_all()
    await stop(running)


async def test_an_account_that_is_gained_again_during_its_hand_over_is_kept() -> None:
    ownership, work = Released(1), Recorded(cancellations=3)
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    ownership.owned.hand_over(1)
    await work.until("begin 1", "cancel 1")
    ownership.owned.gain(1, 3)
    await work.until("begin 1", "cancel 1", "cancel 1", "cancel 1", "begin 1")
    assert (ownership.released, ownership.owned.epoch_of(1)) == ({}, 3)
    ownership.owned.lose_all()
    await stop(running)


async def test_an_account_whose_login_has_ended_is_released_until_the_next_login() -> None:
    ownership, work = Released(1), Recorded()
    running = asyncio.create_task(ClusterWorker(ownership, work).run("", capacity=9))
    await work.until("begin 1")
    work.login_ends.set()
    await ownership.owned.wait_until_empty()
    await stop(running)
    assert ownership.released == {1: False}


async def test_an_account_that_fails_is_started_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    ownership, work = Released(1), Recorded(failures=3)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with caplog.at_level(logging.WARNING):
        worker = ClusterWorker(ownership, work, sleep=pause, rng=random.Random(1))
        running = asyncio.create_task(worker.run("", capacity=9))
        await work.until(*["begin 1"] * 4)
    await stop(running)
    assert all(0.5 <= each <= 1.5 for each in pauses)
    assert len(set(pauses)) == 3, "accounts that have failed together do not start together"
    assert len(caplog.records) == 1
