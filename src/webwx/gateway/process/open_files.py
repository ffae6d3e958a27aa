"""
How many files the accounts and consumers of the gateway may open.

A process that has used up its open files accepts no connection, not even one that would delete what uses them. So the
gateway counts what each part may need at most, keeps a share for connections, and refuses what would not fit.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from webwx.errors import TooManyOpenFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OF_ACCOUNT = 16
"""
Maximum number of files of an account: its journal with three connections, the log and the shared memory of it, the
locks of the login, of the sender and of two consumers, and the connections to the platform.
"""

OF_CONSUMER = 1
"""Number of files of a consumer: its lock, which also has its marks."""

MOST = 65_536
"""Limit of open files that the gateway asks for."""

_KEPT = 8
"""The part of the limit that is kept for connections, uploads and media: one in this many."""


class OpenFiles:
    """
    Counts the accounts and consumers that have files open.

    Args:
        limit: Returns the maximum number of open files of the process; None: there is no limit.
        bots: Number of bots that may run on each account; each has a consumer.
    """

    def __init__(self, limit: Callable[[], int | None] | None = None, *, bots: int = 0) -> None:
        self._limit = limit or limit_of_files
        self._of_account = OF_ACCOUNT + bots * OF_CONSUMER
        self._accounts = set[int]()
        self._consumers = 0

    def __repr__(self) -> str:
        return f"OpenFiles({len(self._accounts)} accounts, {self._consumers} consumers)"

    def require(self, *, accounts: int = 0, consumers: int = 0) -> None:
        """
        Check that more accounts or consumers fit.

        Raises:
            TooManyOpenFiles: They do not.
        """
        limit = self._limit()
        if limit is None:
            return
        wanted = (len(self._accounts) + accounts) * self._of_account + (self._consumers + consumers) * OF_CONSUMER
        room = limit - limit // _KEPT
        if wanted > room:
            raise TooManyOpenFiles(
                f"This needs up to {wanted:,} open files, and {room:,} of the limit of {limit:,} are for accounts and "
                "their readers; delete a webhook or an account, or raise the limit (LimitNOFILE=, or 'ulimit -n') and "
                "restart the gateway."
            )

    def add_account(self, number: int) -> None:
        """
        Count an account until it is removed.

        Raises:
            TooManyOpenFiles: There is no room for it.
        """
        self.require(accounts=1)
        self._accounts.add(number)

    def remove_account(self, number: int) -> None:
        """Count an account no longer."""
        self._accounts.discard(number)

    @contextlib.contextmanager
    def consumer(self) -> Iterator[None]:
        """
        Count a consumer until the end of the block.

        Raises:
            TooManyOpenFiles: There is no room for it.
        """
        self.require(consumers=1)
        self._consumers += 1
        try:
            yield
        finally:
            self._consumers -= 1


def limit_of_files() -> int | None:
    """Return the maximum number of open files of this process; None: there is no limit that can be read."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_limit() -> None:
    """Raise the process's limit of open files, as far as the system lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has another, lower limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
