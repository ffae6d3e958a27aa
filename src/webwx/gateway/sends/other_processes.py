"""The sends of other processes, such as `webwx send` beside the gateway, while a reader follows them."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from webwx.client.reading.sends_of_others import LOOK_EVERY, NEWEST, SendsOfOthers
from webwx.errors import WxError
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.gateway.accounts.local_account import LocalAccount
    from webwx.gateway.accounts.send_changes import SendChanges

_log = logging.getLogger("webwx.gateway")


class OtherProcesses:
    """
    Notes the sends of other processes for the readers of changes.

    Args:
        changes: Passes the changes to the readers.
        accounts: Returns all accounts.
        fingerprint: Returns what `Journal.fingerprint` returns of an account, by its name.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        changes: SendChanges,
        accounts: Callable[[], Iterable[LocalAccount]],
        fingerprint: Callable[[str], object],
        clock: Callable[[], float],
    ) -> None:
        self._changes = changes
        self._accounts = accounts
        self._fingerprint = fingerprint
        self._clock = clock
        self._sends: dict[LocalAccount, SendsOfOthers] = {}
        """The sends of each account that a reader follows."""
        self._looking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"OtherProcesses({len(self._sends)} accounts are followed)"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is looked at, because there is no reader."""
        return self._looking is None or self._looking.done()

    def begin(self) -> None:
        """Look at the accounts that a reader follows from now on, until no reader follows any."""
        self._choose()
        if self.is_idle:
            self._looking = asyncio.ensure_future(self._look())

    def end(self) -> None:
        """Do not look any more."""
        if self._looking is not None:
            self._looking.cancel()

    def _choose(self) -> None:
        self._sends = {
            account: self._sends.get(account) or self._sends_of(account)
            for account in self._accounts()
            if self._changes.is_followed(account.number)
        }

    def _sends_of(self, account: LocalAccount) -> SendsOfOthers:
        return SendsOfOthers(
            partial(self._fingerprint, account.name),
            lambda: account.client.list_sends(limit=NEWEST),
            since=self._clock(),
        )

    async def _look(self) -> None:
        while self._changes.has_readers:
            for account, sends in tuple(self._sends.items()):
                try:
                    for number in await sends.look():
                        self._changes.note(account.number, number)
                except (WxError, GatewayProblem) as error:  # it was never logged in, or the storage fails
                    _log.debug("The sends of account %d cannot be read now: %s", account.number, error)
            await asyncio.sleep(LOOK_EVERY)
            self._choose()
        self._sends.clear()
