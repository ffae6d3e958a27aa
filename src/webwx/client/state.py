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

import msgspec

from webwx.errors import ApiError, LoggedOut, ProtocolError, StorageError, WxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEGRADED_AFTER = 3
"""Number of polls in a row, or of fetches in a row, that fail before the state becomes DEGRADED."""

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


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a client's state, or a failure that a client gets over by itself. Its `str` is one sentence."""

    state: LoginState
    """The state from now on."""
    before: LoginState
    """The state until now; for a login that has succeeded, the state before that login."""
    error: WxError | None = None
    """The cause of DEGRADED and LOGGED_OUT; while LOGGING_IN, the failure after which the login is tried again."""

    @property
    def is_notable(self) -> bool:
        """Worth a line for the user of a program that goes on: a failure, or the end of one."""
        if self.state is LoginState.LOGGED_OUT:
            return False
        return self.error is not None or (self.state is LoginState.ONLINE and self.before in _ONLINE_AFTER)

    def __str__(self) -> str:
        match self.state, self.error:
            case LoginState.LOGGING_IN, WxError():
                return f"The login is tried again: {self.error}"
            case LoginState.LOGGED_OUT, WxError():
                return str(self.error)
            case _, StorageError():
                return f"The journal takes nothing; nothing is lost, and it is tried again: {self.error}"
            case _, ApiError() | ProtocolError():
                return f"No news can be fetched, and it is tried again: {self.error}"
            case _, WxError():
                return f"The connection is lost, and it is tried again: {self.error}"
            case LoginState.ONLINE, _:
                return _ONLINE_AFTER.get(self.before, "Logged in.")
            case LoginState.DEGRADED, _:
                return "The connection is lost, and it is tried again."
            case LoginState.LOGGED_OUT, _:
                return "Logged out."
            case _:
                return "Logging in."


_ONLINE_AFTER = {
    LoginState.DEGRADED: "The connection is restored.",
    LoginState.LOGGED_OUT: "Logged in again.",
}
"""Sentences for ONLINE, by the state before."""


class Liveness:
    """
    What is known of whether a login is alive.

    Args:
        report: Called with each change of the state, and with the first failure that a login gets over by itself.
    """

    def __init__(self, report: Callable[[StateChange], object] = lambda _: None) -> None:
        self.state = LoginState.NEW
        """The present state."""
        self._report = report
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
        self._failures = self._fetch_failures = 0
        """Polls and fetches in a row that have failed."""
        self._can_store = True
        self._is_delayed = False
        """The present login has met a failure that was reported."""

    @contextmanager
    def logging_in(self) -> Iterator[None]:
        """Be logging in, and be online afterwards; or as if nothing had been, when that fails."""
        before = self.state
        self._is_delayed = False
        self._enter(LoginState.LOGGING_IN)
        try:
            yield
        except BaseException:
            self._enter(LoginState.NEW)
            raise
        self._enter(LoginState.ONLINE, before=before)

    def delayed(self, error: WxError) -> None:
        """Note that a login is tried again after a failure; the first one is reported."""
        if not self._is_delayed:
            self._is_delayed = True
            self._report(StateChange(state=self.state, before=self.state, error=error))

    def restored(self) -> None:
        """Take a saved login for alive until somebody says otherwise."""
        self.forget()
        self.is_restored = True
        if self.state is not LoginState.LOGGING_IN:
            self._enter(LoginState.ONLINE)

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

    def failed(self, error: WxError | None = None, *, is_stale: bool = False) -> None:
        """Note that a poll went wrong, which says nothing about the login; after a long silence one is enough."""
        self._failures += 1
        if is_stale or self._failures >= DEGRADED_AFTER:
            self._degrade(error)

    def fetch_failed(self, error: WxError | None = None, *, is_certain: bool = False) -> None:
        """Note that a fetch went wrong. Only a fetch mends that: polls may go well all the while."""
        self._fetch_failures = max(self._fetch_failures + 1, DEGRADED_AFTER * is_certain)
        if not self.can_fetch:
            self._degrade(error)

    @property
    def can_fetch(self) -> bool:
        """Fetches do not fail again and again."""
        return self._fetch_failures < DEGRADED_AFTER

    def fetched(self) -> None:
        """Note that a fetch went well."""
        self._fetch_failures = 0
        self._mend()

    def cannot_store(self, error: WxError | None = None) -> bool:
        """Note that what came could not be stored; says whether that is news."""
        is_news, self._can_store = self._can_store, False
        if is_news and self.state is LoginState.DEGRADED:
            self._report(StateChange(state=self.state, before=self.state, error=error))
        self._degrade(error)
        return is_news

    def stored(self) -> bool:
        """Note that what came was stored; says whether that is news."""
        is_news, self._can_store = not self._can_store, True
        self._mend()
        return is_news

    def _degrade(self, error: WxError | None) -> None:
        if self.state is LoginState.ONLINE:
            self._enter(LoginState.DEGRADED, error)

    def _mend(self) -> None:
        if self.state is LoginState.DEGRADED and self._can_store and self.can_fetch and not self._failures:
            self._enter(LoginState.ONLINE)

    def _enter(self, state: LoginState, error: WxError | None = None, *, before: LoginState | None = None) -> None:
        before = before or self.state
        has_changed, self.state = state is not self.state, state
        if has_changed:
            self._report(StateChange(state=state, before=before, error=error))

    def ended(self, end: LoggedOut) -> bool:
        """Note that the platform has ended the login; says whether that is news."""
        if self.end is not None:
            return False
        end.last_ok_at = self.last_ok_at
        self.end = end
        if self.state is not LoginState.LOGGING_IN:
            self._enter(LoginState.LOGGED_OUT, end)
        return True

    def left(self) -> None:
        """Note that we have logged out ourselves."""
        self.forget()
        self._enter(LoginState.LOGGED_OUT)

    def forget(self) -> None:
        """Know nothing of a login any more."""
        self.end = self.last_ok_at = self.last_sync_at = None
        self.is_restored = self.is_renewed = False
        self._failures = self._fetch_failures = 0
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
