"""
One state machine for one login.

What the network does never ends a login: an outage, a web page in place of an answer or a server in trouble makes it
DEGRADED at most, and the next good answer mends that. Only `ended` leads to LOGGED_OUT, and only the table of codes
(flows/call.py) raises the error that goes in there, whatever call it came from.
"""

from __future__ import annotations

import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING

from webwx.errors import LoggedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

DEGRADED_AFTER = 3
"""Polls in a row that fail before anybody is told."""

STALE_AFTER = 60.0
"""Seconds since the last good poll after which one that fails is enough."""


class LoginState(enum.Enum):
    """How a client's login is."""

    NEW = "new"
    """Nobody has logged in yet."""
    LOGGING_IN = "logging_in"
    ONLINE = "online"
    DEGRADED = "degraded"
    """Logged in, but several polls in a row have failed, or nothing can be stored; it goes on trying."""
    LOGGED_OUT = "logged_out"


_ONLINE = LoginState.ONLINE
"""Looked at whenever a call went well: a member of an enum takes longer to find."""


class Liveness:
    """What is known of whether a login is alive."""

    def __init__(self) -> None:
        self.state = LoginState.NEW
        """The present state."""
        self.end: LoggedOut | None = None
        """What ended the login."""
        self.last_ok_at: float | None = None
        """When a call last went well."""
        self.last_sync_at: float | None = None
        """When a poll or a fetch last went well."""
        self.is_restored = False
        """The login comes from a store, and no call has gone well since."""
        self.is_renewed = False
        """Its key was renewed, and no call has gone well since."""
        self._failures = 0
        self._can_store = True

    @contextmanager
    def logging_in(self) -> Iterator[None]:
        """Be logging in, and be online afterwards; or as if nothing had been, when that fails."""
        self.state = LoginState.LOGGING_IN
        try:
            yield
        except BaseException:
            self.state = LoginState.NEW
            raise
        self.state = LoginState.ONLINE

    def restored(self) -> None:
        """Take a saved login for alive until somebody says otherwise."""
        self.forget()
        self.is_restored = True
        if self.state is not LoginState.LOGGING_IN:
            self.state = LoginState.ONLINE

    def answered(self, now: float) -> None:
        """Note that a call went well."""
        self.last_ok_at = now
        self.is_restored = self.is_renewed = False
        self._failures = 0
        if self.state is not _ONLINE:
            self._mend()

    def polled(self, now: float) -> None:
        """Note that a poll or a fetch went well."""
        self.last_sync_at = now

    def failed(self, *, is_stale: bool = False) -> None:
        """Note that a poll went wrong, which says nothing about the login; after a long silence one is enough."""
        self._failures += 1
        if (is_stale or self._failures >= DEGRADED_AFTER) and self.state is LoginState.ONLINE:
            self.state = LoginState.DEGRADED

    def cannot_store(self) -> bool:
        """Note that what came could not be stored; says whether that is news."""
        is_news, self._can_store = self._can_store, False
        if self.state is LoginState.ONLINE:
            self.state = LoginState.DEGRADED
        return is_news

    def stored(self) -> bool:
        """Note that what came was stored; says whether that is news."""
        is_news, self._can_store = not self._can_store, True
        self._mend()
        return is_news

    def _mend(self) -> None:
        if self.state is LoginState.DEGRADED and self._can_store and not self._failures:
            self.state = LoginState.ONLINE

    def ended(self, end: LoggedOut) -> bool:
        """Note that the platform has ended the login; says whether that is news."""
        if self.end is not None:
            return False
        end.last_ok_at = self.last_ok_at
        self.end = end
        if self.state is not LoginState.LOGGING_IN:
            self.state = LoginState.LOGGED_OUT
        return True

    def left(self) -> None:
        """Note that we have logged out ourselves."""
        self.forget()
        self.state = LoginState.LOGGED_OUT

    def forget(self) -> None:
        """Know nothing of a login any more."""
        self.end = self.last_ok_at = self.last_sync_at = None
        self.is_restored = self.is_renewed = False
        self._failures = 0
        self._can_store = True

    def require(self) -> None:
        """
        Make sure that the login has not ended.

        Raises:
            LoggedOut: It has, for the same reason as then.
        """
        if self.end is None:
            return
        again = LoggedOut(
            str(self.end), reason=self.end.reason, endpoint=self.end.endpoint, ret=self.end.ret,
            message=self.end.message,
        )  # fmt: skip
        again.last_ok_at = self.end.last_ok_at
        raise again
