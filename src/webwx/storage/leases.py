"""
The contract of leases: which process owns which account of a journal that several machines share.

A process that runs accounts is a worker. It has one row with one lease, which it renews for all its accounts at once;
every time is by the clock of the database. An account belongs to one worker or to none. Each takeover raises the epoch
of the account, and changes with an earlier epoch are refused (`Fence`), so a worker that does not know yet that it
has lost an account stores nothing.

The states of an account:

| State      | Stored as                                  | Change                                   | Next state      |
|------------|--------------------------------------------|------------------------------------------|-----------------|
| not wanted | `is_wanted` is false: its login has ended  | `want`, after the next login             | free            |
| free       | no worker, or one whose lease has expired  | `claim`, which raises the epoch          | owned           |
|            |                                            | its worker renews the expired lease      | owned           |
| owned      | a worker with a valid lease                | `release`, `leave`; the lease expires    | free            |
|            |                                            | `release` with `is_wanted=False`         | not wanted      |

The states of a worker:

| State    | Time since its last renewal | What it may do                                       | Next state           |
|----------|-----------------------------|------------------------------------------------------|----------------------|
| valid    | up to `LeaseTimes.usable`   | everything                                           | late                 |
| late     | up to `LeaseTimes.lease`    | everything, but it begins no send                    | valid, expired       |
| expired  | any longer time             | it stops its accounts, and stores what is still its  | valid, removed       |
| draining | any, after `drain`          | it claims nothing, and hands its accounts over       | removed by `leave`   |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

import msgspec

from webwx.errors import InvalidSettings
from webwx.storage.base import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

    from webwx.storage.account_folder import LoginName
    from webwx.storage.refusals import Fence
    from webwx.storage.saved_login import LoginStore


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Times of a lease, in seconds."""

    lease: float = 15.0
    """Time after the last renewal of a lease until it expires."""
    heartbeat: float = 5.0
    """Time between two renewals."""

    @property
    def usable(self) -> float:
        """Time after the last renewal from which the lease is late: a worker begins no send until it is renewed."""
        return self.lease * 2 / 3

    @property
    def timeout(self) -> float:
        """Time after which a call to the database is given up."""
        return self.lease * 0.3

    @property
    def retry(self) -> float:
        """Time from a failed renewal to the next one."""
        return self.lease / 50

    @property
    def claim(self) -> float:
        """Time between two claims."""
        return min(0.5, self.lease / 15)

    def check(self) -> None:
        """
        Raise an error unless a renewal that is lost can be repeated in time.

        Raises:
            InvalidSettings: A time is not above zero, or the heartbeat is too slow for the lease.
        """
        if not 0 < self.heartbeat <= self.lease / 3:
            raise InvalidSettings(
                f"A lease of {self.lease:g} seconds needs a heartbeat of more than 0 and at most {self.lease / 3:g} "
                f"seconds, not {self.heartbeat:g}."
            )


DEFAULT_TIMES = LeaseTimes()


NEWS_DELAY = 1.0
"""Seconds after which a reader queries the database itself, in case an announcement was lost."""


class ClusterMember(NamedTuple):
    """A process that opens the shared storage as a worker."""

    worker: str
    """Id of the worker. A takeover ends the database sessions of this worker, and so its locks."""
    fence: Callable[[int], Fence]
    """Returns the fence of an account; raises `NotOwner` if the worker does not own the account."""
    timeout: float
    """Seconds until a call to the database is given up."""
    sending_fence: Callable[[int], Awaitable[Fence]] | None = None
    """
    Returns the fence of an account for a send that begins, once the lease of the worker is not late; raises `NotOwner`
    as `fence` does. It is called in any thread. None: `fence` is for sends as well.
    """

    def __repr__(self) -> str:
        return f"ClusterMember({self.worker!r})"


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is, as it reports with each renewal of its lease."""

    weight: int
    """Number by which the accounts are divided among the workers: the capacity, or less while the event loop lags."""
    loop_lag: float = 0.0
    """Longest time that the event loop took to answer since the last renewal, in seconds."""
    failed_bots: int = 0
    """Number of bots that are not running because of an error."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a renewed lease."""

    is_draining: bool
    """The worker is asked to hand all its accounts over."""
    share: int
    """Number of accounts that the worker may own; it hands over those beyond it."""
    time: float
    """Seconds since 1970 (database's clock)."""


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a worker in the database."""

    worker: str
    """Id of the worker; a new one at each start."""
    address: str
    """Address at which the worker can be reached."""
    capacity: int
    """Number of accounts that it takes at most."""
    is_draining: bool
    expires_in: float
    """Seconds until its lease expires; negative if it has expired."""
    accounts: int
    """Number of accounts that it owns."""
    lease_age: float
    """Seconds since the last renewal of its lease."""
    loop_lag: float
    """Longest time that its event loop took to answer between the last two renewals, in seconds."""
    failed_bots: int
    """Number of its bots that are not running because of an error."""


class OwnedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account and its owner."""

    account: int
    """The account's number at the platform (`uin`)."""
    worker: str | None
    """Id of the owner; None for none."""
    address: str | None
    """Address at which the owner can be reached."""
    epoch: int
    """Number of takeovers."""
    is_wanted: bool
    """Workers take the account. False after its login has ended, until the next login."""
    taken_at: float | None
    """Time of the last takeover, in seconds since 1970."""

    def __repr__(self) -> str:
        return f"OwnedAccount(epoch {self.epoch})"


class SendFiles(Protocol):
    """
    The files of an account's queued sends, by the numbers of their sends in the outbox.

    Files are read and written in pieces, so memory does not grow with them. Every method raises `StorageError` if the
    database does not answer in time.
    """

    async def put(self, number: int, file: BinaryIO) -> None:
        """
        Store the file of a send; another file of this send is replaced.

        Args:
            number: Number of the send.
            file: A buffered file, read from its position to its end.

        Raises:
            NotOwner: This process does not own the account.
            OSError: The file cannot be read. Nothing is stored then.
        """
        ...

    async def copy_to(self, number: int, file: BinaryIO) -> bool:
        """
        Write the file of a send to an open buffered file; return False if it is not stored completely.

        Raises:
            OSError: The open file cannot be written.
        """
        ...

    async def delete(self, number: int) -> None:
        """Delete the file of a send that has an outcome, if it is stored; any process may do that."""
        ...

    async def delete_all_but(self, numbers: Collection[int]) -> None:
        """
        Delete the files of all sends but some.

        Raises:
            NotOwner: There are files to delete, and this process does not own the account.
        """
        ...


class StorageNews(NamedTuple):
    """What processes have stored since the news before."""

    entries: dict[int, int]
    """Number of the last entry of each account with new entries."""
    sends: set[int]
    """Accounts whose sends have changed, as any process has announced."""

    def __repr__(self) -> str:
        return f"StorageNews({len(self.entries)}, {len(self.sends)})"


class SharedStorage(Storage, Protocol):
    """A storage that several machines share."""

    async def name_of(self, account: int) -> LoginName | None:
        """Return the name of the last login of an account; None if it has not logged in under a name."""
        ...

    def owned_login(self, name: LoginName, account: int) -> LoginStore:
        """
        Return the store of a login, whose changes raise `NotOwner` unless this process owns the account.

        Raises: As `login`.
        """
        ...

    def send_files(self, account: int) -> SendFiles:
        """Return the files of an account's queued sends."""
        ...

    async def accounts_by_name(self) -> dict[LoginName, int]:
        """Return the account that has last logged in under each name."""
        ...

    def moved(self) -> AsyncGenerator[StorageNews, None]:
        """
        Yield the number of the last entry of each account that has entries, and from then on what has changed.

        Entries of workers are announced within some 20 milliseconds, those of other processes are found within a
        second. Changed sends of any process are announced within some 100 milliseconds; `announce_sends` states what
        holds of an announcement. While the database cannot be reached, nothing is yielded.
        """
        ...

    async def background_sends(self) -> dict[int, int]:
        """Return the number of queued background sends of each account that has some."""
        ...

    async def announce_sends(self, account: int) -> None:
        """
        Announce to the readers of `moved`, in all processes, that sends of an account have changed, because one waits.

        The owner of the account announces the outcome of a background send. The send itself is announced by its
        transaction.

        A reader of the announcement finds everything that was stored before this call. The announcement is made after
        the return, within some 20 milliseconds, and may be combined with others. It may be lost, and is not repeated,
        so a reader that needs the change also looks for it from time to time.

        Raises:
            StorageError: The storage was closed.
        """
        ...


class Leases(Protocol):
    """
    The leases of all workers and accounts of one database.

    Each call is given up after the timeout of the object's times. Every method raises `StorageError` if the database
    does not answer in time; a change may be stored then.
    """

    async def join(self, worker: str, address: str, capacity: int) -> float:
        """
        Add a worker, with a lease that begins now; nothing else changes if it was added before.

        Returns:
            Seconds since 1970 by the database's clock.
        """
        ...

    async def renew(self, worker: str, health: WorkerHealth | None = None) -> Renewal | None:
        """
        Renew the lease of a worker, even if it has expired, unless the worker was removed.

        Args:
            worker: The worker.
            health: How it is now; None: as it was.

        Returns:
            None if the worker was removed: it owns nothing, and may join again.
        """
        ...

    async def held(self, worker: str) -> dict[int, int]:
        """Return the accounts of a worker and their epochs."""
        ...

    async def claim(self, worker: str) -> dict[int, int]:
        """
        Take accounts that belong to no worker or to one whose lease has expired, up to the worker's share.

        In the same transaction, sends that the earlier owner has begun become `unknown`. A worker whose lease has
        expired, or that is draining, takes nothing.

        Returns:
            The accounts that were taken, and their new epochs.
        """
        ...

    async def release(self, worker: str, fences: Collection[Fence], *, is_wanted: bool = True) -> None:
        """
        Release accounts, except those that were taken over meanwhile.

        Args:
            worker: The worker.
            fences: The accounts.
            is_wanted: Whether another worker may take them at once; False: only after the next login.
        """
        ...

    async def want(self, account: int) -> None:
        """Allow workers to take an account again, because its login is valid."""
        ...

    async def drain(self, worker: str) -> bool:
        """Ask a worker to hand all its accounts over, and return whether it exists."""
        ...

    async def leave(self, worker: str) -> None:
        """Remove a worker, and give up all its accounts."""
        ...

    async def owner_of(self, account: int) -> OwnedAccount | None:
        """Return an account and its owner; None if the account is not known."""
        ...

    async def workers(self) -> list[WorkerRow]:
        """Return the workers, those with expired leases included, in the order of their ids."""
        ...

    async def consumer_lags(self) -> dict[str, int]:
        """Return for each worker with open consumers how many events the slowest one has not acknowledged."""
        ...

    async def accounts(self) -> list[OwnedAccount]:
        """Return all accounts in the order of their numbers."""
        ...

    async def reset(self) -> int:
        """
        Remove all workers, and raise the epochs of all accounts beyond any that a lost server may have stored.

        After a failover to an asynchronous standby, the new server may not know the last takeovers, so it would assign
        an epoch a second time.

        Returns:
            The number of accounts.
        """
        ...

    async def close(self) -> None:
        """Close the connections; later calls raise `StorageError`."""
        ...
