"""
What a process that starts needs of its database: it waits until the database answers, and logs why.

A database that starts late, is restarted or is busy is no reason to end: the process would be started again, and would
find the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from webwx.storage.refusals import DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_log = logging.getLogger("webwx.cluster")

_AGAIN = 1.0
"""Seconds until the database is asked again."""

_LATE = 5.0
"""Seconds after which it is logged that there is no answer yet; an attempt to connect takes up to half a minute."""


async def until_reachable(work: Callable[[], Awaitable[T]]) -> T:
    """
    Do a part of a start, again and again until the database answers; each reason to wait is logged once.

    Args:
        work: May be called again after it has failed.

    Raises:
        StorageError: The database has refused it, or needs a change by an administrator.
    """
    loop, last = asyncio.get_running_loop(), ""
    while True:
        late = loop.call_later(_LATE, _log_late)
        try:
            return await work()
        except DatabaseUnreachable as error:
            if str(error) != last:
                _log.warning("This process waits for its database, and goes on when it answers: %s", error)
            last = str(error)
        finally:
            late.cancel()
        await asyncio.sleep(_AGAIN)


def _log_late() -> None:
    _log.warning("This process waits for its database, which has not answered for %g seconds.", _LATE)
