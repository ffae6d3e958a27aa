"""Use of the journal by the parts of a bot, which continue once a failing disk works again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from webwx.client.retry import retry
from webwx.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_log = logging.getLogger("webwx.bot")


async def use_journal(bot: str, use: Callable[[], Awaitable[T]]) -> T:
    """
    Use the journal, and retry until it succeeds; log the first failure.

    Args:
        bot: Name of the bot.
        use: Reads or writes the journal once.
    """

    def is_worth_it(error: StorageError, failures: int) -> bool:
        if failures == 1:
            _log.error("%s: the journal fails and is retried until it succeeds: %s", bot, error)
        return True

    return await retry(use, StorageError, is_worth_it=is_worth_it)
