"""The accounts that a process owns at the moment, and the changes that its reader has not taken yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.cluster.changes import Change, Gained, Leaving, Lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping


class OwnedAccounts:
    """Accounts with their epochs; each change is passed to the reader of `changes`."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._changes: asyncio.Queue[Change | None] = asyncio.Queue()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __repr__(self) -> str:
        return f"OwnedAccounts({len(self._epochs)})"

    def __len__(self) -> int:
        return len(self._epochs)

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._epochs))

    def epoch_of(self, account: int) -> int | None:
        """Return the epoch of an account; None if it is not owned. Called in any thread."""
        return self._epochs.get(account)

    def gain(self, account: int, epoch: int) -> None:
        """Add an account; nothing happens if it is owned with this epoch."""
        if self._epochs.get(account) == epoch:
            return
        self.lose(account)
        self._epochs[account] = epoch
        self._is_empty.clear()
        self._changes.put_nowait(Gained(account=account, epoch=epoch))

    def lose(self, account: int) -> None:
        """Remove an account that another process may own."""
        epoch = self._epochs.get(account)
        if epoch is not None and self.remove(account, epoch):
            self._changes.put_nowait(Lost(account=account))

    def lose_all(self) -> None:
        """Remove all accounts, because another process may own them."""
        for account in self:
            self.lose(account)

    def adjust(self, held: Mapping[int, int]) -> None:
        """Lose and gain accounts until exactly these are owned."""
        for account in self:
            if account not in held:
                self.lose(account)
        for account, epoch in held.items():
            self.gain(account, epoch)

    def hand_over(self, count: int) -> None:
        """Ask the reader to release accounts, those gained last, until this number of them is leaving."""
        for account, epoch in reversed(self._epochs.items()):
            if len(self._leaving) >= count:
                return
            if account not in self._leaving:
                self._leaving.add(account)
                self._changes.put_nowait(Leaving(account=account, epoch=epoch))

    def remove(self, account: int, epoch: int) -> bool:
        """Remove an account without a change for the reader, and return whether it was owned with this epoch."""
        if self._epochs.get(account) != epoch:
            return False
        del self._epochs[account]
        self._leaving.discard(account)
        if not self._epochs:
            self._is_empty.set()
        return True

    async def wait_until_empty(self) -> None:
        """Return once no account is owned."""
        await self._is_empty.wait()

    def end(self) -> None:
        """End the iteration of `changes`."""
        self._changes.put_nowait(None)

    async def changes(self) -> AsyncIterator[Change]:
        """Yield each change, until `end`."""
        while (change := await self._changes.get()) is not None:
            yield change
