"""A worker: it runs each account that it gains, until it loses the account or hands it over."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, Protocol

from webwx.client.cancellation import cancel_until_done
from webwx.cluster.changes import Gained, Leaving, Lost
from webwx.errors import StorageError, WxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from webwx.cluster.ownership import Ownership

_log = logging.getLogger("webwx.cluster")

_IMPATIENCE = 0.1
"""Seconds after which the work of a lost account is cancelled a second time: it may not store anything any more."""

_PATIENCE = 20.0
"""Seconds after which the work of an account that is handed over is cancelled a second time."""

_RETRY = 1.0
"""Seconds until an account that has failed is started again, on average."""


class AccountRunner(Protocol):
    """Does the work of an account."""

    async def run(self, account: int) -> None:
        """
        Work until a cancellation, which lets running handlers end; a second one does not wait for them.

        It returns when the login of the account has ended.
        """
        ...


class ClusterWorker:
    """
    Runs the accounts that this process owns.

    Args:
        ownership: The accounts that this process owns.
        runner: Does the work of an account.
        sleep: Waits for some seconds after an error.
        rng: Varies the pauses after errors, so that accounts that have failed together start one after another.
    """

    def __init__(
        self, ownership: Ownership, runner: AccountRunner, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._ownership = ownership
        self._runner = runner
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - no secret
        self._reading: asyncio.Task[None] | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """The work of each account; after its loss, until it has ended."""
        self._endings: set[asyncio.Task[None]] = set()
        """The tasks that end the work of an account."""

    def __repr__(self) -> str:
        return f"ClusterWorker({len(self._tasks)} accounts)"

    async def run(self, address: str, *, capacity: int) -> None:
        """
        Run accounts until a cancellation, or until an administrator drains this process; then hand all accounts over.

        A second cancellation does not wait for running handlers.

        Args:
            address: Address at which this process can be reached.
            capacity: Number of accounts that it takes at most.

        Raises:
            StorageError: The database refuses it.
        """
        await self.start(address, capacity=capacity)
        try:
            await self._ownership.is_draining.wait()
        finally:
            await self.stop()

    async def start(self, address: str, *, capacity: int) -> None:
        """
        Begin to run accounts; the arguments are those of `run`.

        Raises:
            StorageError: The database refuses it.
        """
        await self._ownership.join(address, capacity=capacity)
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Hand all accounts over; nothing happens if this worker was not started."""
        if self._reading is not None:
            await self._leave()
            await self._reading

    async def _leave(self) -> None:
        leaving = asyncio.create_task(self._ownership.leave())
        while not leaving.done():
            try:
                await asyncio.wait([leaving])
            except asyncio.CancelledError:
                for task in self._tasks.values():
                    task.cancel()
        leaving.result()

    async def _read(self) -> None:
        async for change in self._ownership.owned.changes():
            match change:
                case Gained(account=account, epoch=epoch):
                    self._start(account, epoch)
                case Leaving(account=account, epoch=epoch):
                    self._background(self._hand_over(account, epoch, self._tasks.get(account)))
                case Lost(account=account):
                    self._background(self._stop(self._tasks.get(account)))
        while ending := {*self._tasks.values(), *self._endings}:
            await asyncio.wait(ending)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _hand_over(self, account: int, epoch: int, task: asyncio.Task[None] | None) -> None:
        """Wait for the end of an account's running handlers, and release it."""
        if task is not None:
            await cancel_until_done([task], pause=_PATIENCE)
        await self._release(account, epoch)

    async def _stop(self, task: asyncio.Task[None] | None) -> None:
        """End the work of an account without waiting for running handlers."""
        if task is not None:
            await cancel_until_done([task], pause=_IMPATIENCE)

    def _start(self, account: int, epoch: int) -> None:
        before = self._tasks.get(account)
        task = asyncio.create_task(self._work(account, epoch, before))
        self._tasks[account] = task
        task.add_done_callback(lambda _: self._forget(account, task))

    def _forget(self, account: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(account) is task:
            del self._tasks[account]

    async def _work(self, account: int, epoch: int, before: asyncio.Task[None] | None) -> None:
        """Run an account until its login ends; after an error, start it again."""
        if before is not None and not before.done():
            await asyncio.wait([before])
        last, task = "", asyncio.current_task()
        while True:
            try:
                await self._runner.run(account)
            except WxError as error:
                if task is not None and task.cancelling():  # the error of its end has replaced the cancellation
                    return
                if str(error) != last:
                    _log.warning("An account of this worker has failed, and is started again: %s", error)
                last = str(error)
                await self._sleep(_RETRY * self._rng.uniform(0.5, 1.5))
            else:
                _log.warning("The login of an account has ended; log in again.")
                await self._release(account, epoch, is_wanted=False)
                return

    async def _release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        """Release an account whose work has ended."""
        try:
            await self._ownership.release(account, epoch, is_wanted=is_wanted)
        except StorageError as error:
            _log.warning("An account was not released, and is started again: %s", error)
