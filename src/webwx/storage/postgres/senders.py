"""
The attempts at sends in a PostgreSQL database: who sends is shown by an advisory lock, and by the account's epoch.

A row in state `sending` has the lock of the process that sends it. If the lock is free, or another process has taken
the account over since, the outcome of the send is unknown.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.postgres.database import new_lock
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.refusals import ChangeRefused, NotOwner
from webwx.storage.tables.outbox import Attempt, AttemptStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.storage.engine.port import Value
    from webwx.storage.postgres.database import Connection, PostgresDatabase
    from webwx.storage.tables.outbox import Change

_SETTLE_DEAD = """
UPDATE outbox SET state = 'unknown', sender = '' WHERE account = $1 AND state = 'sending' AND CASE
        WHEN epoch < (SELECT epoch FROM accounts WHERE account = $1) OR sender = '' THEN true
        WHEN sender = $2 THEN false
        ELSE pg_try_advisory_xact_lock_shared(sender::bigint) END
"""


class PostgresSender:
    """
    The lock that shows other processes that this one is still sending; used in the thread of the connections.

    Args:
        database: The database.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._key = new_lock()
        self.name: str = str(self._key)
        """Key of the lock, as in the rows of sends."""
        self.is_held = False
        """Whether the lock was taken; any thread may read it."""

    async def hold(self) -> None:
        """Take the lock, before the first send."""
        if not self.is_held:
            await self._database.locks.take(self._key)
            self.is_held = True


class PostgresAttempts(AttemptStore):
    """
    The attempts at the sends of an account; `AttemptStore` states the guarantees.

    Args:
        account: The account's number at the platform.
        database: The database.
        sender: The lock of this process.
        changed: Called with the account after each change of a send, in the thread of the connections.
    """

    def __init__(
        self, account: int, database: PostgresDatabase, sender: PostgresSender, changed: Callable[[int], object]
    ) -> None:  # fmt: skip
        self._account = account
        self._database = database
        self._sender = sender
        self._changed = changed

    def __repr__(self) -> str:
        return "PostgresAttempts(***)"

    async def begin(self) -> Attempt:
        """Take the lock of this process, and return its name and the account's epoch; a late lease is waited for."""
        # In most cases both are known, and a job for the thread of the connections would take longer than a statement.
        fence = await self._database.known_sending_fence(self._account) if self._sender.is_held else None
        if fence is not None:
            return Attempt(self._sender.name, fence.epoch)

        async def work() -> Attempt:
            await self._sender.hold()
            return Attempt(self._sender.name, (await self._database.sending_fence_of(self._account)).epoch)

        return await self._database.run(work)

    async def epoch(self) -> int:
        """Return the epoch of the account; a known one at once, so that no wait comes before the outcome is stored."""
        fence = self._database.known_fence(self._account)
        if fence is None:
            fence = await self._database.run(lambda: self._database.fence_of(self._account))
        return fence.epoch

    async def settle(
        self, changes: Sequence[Change], *, number: int, sent: bool, receipt: str | None, keeps: bool
    ) -> None:
        """Store the outcome of an attempt at once."""
        del number, sent, receipt  # outcomes are not stored later, as in a file

        async def store(db: Connection) -> None:
            for text, values in changes:
                await PostgresStatements(db, self._account).change(text, *values)
            self._changed(self._account)

        async def work() -> None:
            try:
                await self._database.changing(store)
            except (NotOwner, ChangeRefused):
                raise
            except StorageError:
                if not keeps:
                    raise
                self._database.kept.add(store)

        await self._database.run(work)

    async def keep(self, text: str, *values: Value) -> None:
        """Make a change as soon as the database can be written."""

        async def add() -> None:
            self._database.kept.add(lambda db: PostgresStatements(db, self._account).change(text, *values))

        with contextlib.suppress(StorageError):  # closed: the lock is free then, and the outcome unknown
            await self._database.run(add)

    async def settle_dead(self) -> None:
        """Set sends whose process has died to `unknown`."""
        await self._database.read(lambda db: db.execute(_SETTLE_DEAD, self._account, self._sender.name))

    async def flush(self) -> None:
        """Store the outcomes that could not be stored; all others were stored at once."""
        if not self._database.kept.is_empty:
            await self._database.run(self._database.kept.store)
