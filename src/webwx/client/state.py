"""
State machine of one login.

A failure of the network never ends a login: an outage, a web page instead of an answer, or a server error leads to
DEGRADED at most, and the next good answer leads back to ONLINE. Only `ended` leads to LOGGED_OUT, and its error comes
only from the table of codes (flows/call.py), for all calls.
"""

from __future__ import annotations

import enum
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import ApiError, LoggedOut, ProtocolError, StorageError, WxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEGRADED_AFTER = 3
"""Number of failed polls in a row, or failed fetches in a row, that make the state DEGRADED."""

STALE_AFTER = 60.0
"""Seconds without a good poll after which a single failed poll makes the state DEGRADED."""


class LoginState(enum.Enum):
    """State of a client's login."""

    NEW = "new"
    """The account has not logged in yet."""
    LOGGING_IN = "logging_in"
    ONLINE = "online"
    DEGRADED = "degraded"
    """Logged in, but several polls or fetches in a row have failed, or nothing can be stored; the client retries."""
    LOGGED_OUT = "logged_out"


_ONLINE = LoginState.ONLINE
"""A module constant for the hot path, because the lookup of an enum member takes longer."""


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a client's state, or a failure that the client retries by itself. Its `str` is one sentence."""

    state: LoginState
    """The state from now on."""
    before: LoginState
    """The state until now; for a login that has succeeded, the state before that login."""
    error: WxError | None = None
    """The cause of DEGRADED and LOGGED_OUT; while LOGGING_IN, the failure after which the login is retried."""

    @property
    def is_notable(self) -> bool:
        """Whether a running program should report this to its user: a failure, or the end of one."""
        if self.state is LoginState.LOGGED_OUT:
            return False
        return self.error is not None or (self.state is LoginState.ONLINE and self.before in _ONLINE_AFTER)

    @property
    def template(self) -> str:
        """The sentence with `{error}` in place of the cause, for programs that translate it: one of `TEMPLATES`."""
        match self.state, self.error:
            case LoginState.LOGGING_IN, WxError():
                return TEMPLATES["login_retried"]
            case LoginState.LOGGED_OUT, WxError():
                return TEMPLATES["ended"]
            case _, StorageError():
                return TEMPLATES["not_stored"]
            case _, ApiError() | ProtocolError():
                return TEMPLATES["fetches_fail"]
            case _, WxError():
                return TEMPLATES["lost_by_error"]
            case LoginState.ONLINE, _:
                return TEMPLATES[_ONLINE_AFTER.get(self.before, "logged_in")]
            case LoginState.DEGRADED, _:
                return TEMPLATES["lost"]
            case LoginState.LOGGED_OUT, _:
                return TEMPLATES["logged_out"]
            case _:
                return TEMPLATES["logging_in"]

    def __str__(self) -> str:
        return self.template.format(error=self.error)


TEMPLATES = {
    "login_retried": "The login is retried: {error}",
    "ended": "{error}",
    "not_stored": "The journal cannot be written; this is retried, and nothing is lost: {error}",
    "fetches_fail": "Fetches fail and are retried: {error}",
    "lost_by_error": "The connection is lost; the client retries: {error}",
    "lost": "The connection is lost; the client retries.",
    "restored": "The connection is restored.",
    "logging_in": "Logging in.",
    "logged_in": "Logged in.",
    "logged_in_again": "Logged in again.",
    "logged_out": "Logged out.",
}
"""Templates of the sentences for changes of the state."""

_ONLINE_AFTER = {LoginState.DEGRADED: "restored", LoginState.LOGGED_OUT: "logged_in_again"}
"""Keys of the templates for ONLINE, by the state before."""


class Liveness:
    """
    Whether a login is alive, as far as its calls show it.

    Args:
        report: Called with each change of the state, and with the first failure after which a login is retried.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, report: Callable[[StateChange], object] = lambda _: None, clock: Callable[[], float] = time.time
    ) -> None:
        self.state: LoginState = LoginState.NEW
        """The present state."""
        self.state_since: float | None = None
        """Time of the last change of the state: seconds since 1970; None before the first one."""
        self._clock = clock
        self._report = report
        self.end: LoggedOut | None = None
        """The error that ended the login."""
        self.last_ok_at: float | None = None
        """Time of the last successful call: seconds since 1970 (server's clock)."""
        self.last_sync_at: float | None = None
        """Time of the last successful poll or fetch: seconds since 1970 (server's clock)."""
        self.is_restored: bool = False
        """Whether the login comes from a store and no call has succeeded since."""
        self.is_renewed: bool = False
        """Whether the key was renewed and no call has succeeded since."""
        self._failures = self._fetch_failures = 0
        """Number of failed polls in a row, and of failed fetches in a row."""
        self._can_store = True
        self._is_polled = False
        """Whether the account is polled at the moment."""
        self._is_delayed = False
        """Whether a failure during the present login was reported."""

    @contextmanager
    def logging_in(self) -> Iterator[None]:
        """Set the state to LOGGING_IN, and to ONLINE at the end, or to NEW after an error."""
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
        """Note that a login is retried after a failure; report the first failure."""
        if not self._is_delayed:
            self._is_delayed = True
            self._report(StateChange(state=self.state, before=self.state, error=error))

    def restored(self, end: LoggedOut | None = None) -> None:
        """Treat a saved login as alive until a call shows that it is not; with an error, as one that has ended."""
        self.forget()
        self.is_restored = True
        if end is not None:
            self.ended(end)
        elif self.state is not LoginState.LOGGING_IN:
            self._enter(LoginState.ONLINE)

    def answered(self, now: float) -> None:
        """Note that a call succeeded."""
        self.last_ok_at = now
        self.is_restored = self.is_renewed = False
        if not self._is_polled and self.state is not _ONLINE:
            self._failures = 0
            self._recover()

    def polled(self, now: float) -> None:
        """Note that a poll or a fetch succeeded. While there are polls, success of another call shows less."""
        self.last_sync_at = now
        self._is_polled = True
        self._failures = 0
        if self.state is not _ONLINE:
            self._recover()

    def stop_polling(self) -> None:
        """Note that there are no more polls, so that any call shows whether the connection works."""
        self._is_polled = False

    def failed(self, error: WxError | None = None, *, is_stale: bool = False) -> None:
        """Note a failed poll, which does not end the login; after `STALE_AFTER` one failure makes it DEGRADED."""
        self._is_polled = True
        self._failures += 1
        if is_stale or self._failures >= DEGRADED_AFTER:
            self._degrade(error)

    def fetch_failed(self, error: WxError | None = None, *, is_certain: bool = False) -> None:
        """Note a failed fetch. Only a successful fetch resets the count, because polls may succeed meanwhile."""
        self._fetch_failures = max(self._fetch_failures + 1, DEGRADED_AFTER * is_certain)
        if not self.can_fetch:
            self._degrade(error)

    @property
    def can_fetch(self) -> bool:
        """Whether fetches do not fail repeatedly."""
        return self._fetch_failures < DEGRADED_AFTER

    def fetched(self) -> None:
        """Note that a fetch succeeded."""
        self._fetch_failures = 0
        self._recover()

    def cannot_store(self, error: WxError | None = None) -> bool:
        """Note that a batch could not be stored; return whether this is a change."""
        is_news, self._can_store = self._can_store, False
        if is_news and self.state is LoginState.DEGRADED:
            self._report(StateChange(state=self.state, before=self.state, error=error))
        self._degrade(error)
        return is_news

    def stored(self) -> bool:
        """Note that a batch was stored; return whether this is a change."""
        is_news, self._can_store = not self._can_store, True
        self._recover()
        return is_news

    def _degrade(self, error: WxError | None) -> None:
        if self.state is LoginState.ONLINE:
            self._enter(LoginState.DEGRADED, error)

    def _recover(self) -> None:
        if self.state is LoginState.DEGRADED and self._can_store and self.can_fetch and not self._failures:
            self._enter(LoginState.ONLINE)

    def _enter(self, state: LoginState, error: WxError | None = None, *, before: LoginState | None = None) -> None:
        before = before or self.state
        has_changed, self.state = state is not self.state, state
        if has_changed:
            self.state_since = self._clock()
            self._report(StateChange(state=state, before=before, error=error))

    def ended(self, end: LoggedOut) -> bool:
        """Note that the platform has ended the login; return whether this is a change."""
        if self.end is not None:
            return False
        end.last_ok_at = self.last_ok_at
        self.end = end
        if self.state is not LoginState.LOGGING_IN:
            self._enter(LoginState.LOGGED_OUT, end)
        return True

    def left(self) -> None:
        """Note that the client has logged out."""
        self.forget()
        self._enter(LoginState.LOGGED_OUT)

    def forget(self) -> None:
        """Drop everything that is known of a login."""
        self.end = self.last_ok_at = self.last_sync_at = None
        self.is_restored = self.is_renewed = False
        self._failures = self._fetch_failures = 0
        self._can_store = True

    def require(self) -> None:
        """
        Check that the login has not ended.

        Raises:
            LoggedOut: The login has ended; the error has the same reason as the first one.
        """
        if self.end is None:
            return
        again = LoggedOut(
            str(self.end), reason=self.end.reason, endpoint=self.end.endpoint, ret=self.end.ret,
            message=self.end.message,
        )  # fmt: skip
        again.last_ok_at = self.end.last_ok_at
        raise again
