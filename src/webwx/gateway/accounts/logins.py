"""
The logins of an account: the progress of the latest one, for any number of watchers.

Handlers begin, watch and stop logins here; the account itself only says what comes before and after a login.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.client.cancellation import cancel_until_done
from webwx.errors import WxError
from webwx.gateway.problems import FAILURES, LOGIN_STOPPED, code_of_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from webwx.client.accounts import LoginProgress
    from webwx.representations.logins import LoginMethod

_log = logging.getLogger("webwx.gateway")

_FINAL = frozenset({"confirmed", "failed"})


class LoginStatus(msgspec.Struct, frozen=True, kw_only=True):
    """
    The latest login of an account, finished or not.

    Its states are `waiting`, the steps of `LoginProgress`, and at the end `confirmed` or `failed`.
    """

    state: Literal["waiting", "code", "pushed", "scanned", "confirmed", "expired", "cancelled", "failed"]
    number: int = 0
    """Number of the step; it grows during a login."""
    code: str | None = None
    """The text inside the QR code, while there is one to scan."""
    error: str | None = None
    """Why the login has failed."""
    error_code: str = ""
    """Code of the error, as of a problem or of `FAILURES`."""


class AccountLogins:
    """
    The logins of one account, one at a time.

    Args:
        log_in: Logs the account in and yields each step; the argument says whether to ask the phone of an earlier login
            first.
        prepare: Called before each login; an error of it refuses the login.
        confirmed: Called after a login that has succeeded.
    """

    def __init__(
        self,
        log_in: Callable[[bool], AsyncIterator[LoginProgress]],
        prepare: Callable[[], Awaitable[object]],
        confirmed: Callable[[], object] = lambda: None,
    ) -> None:
        self._log_in = log_in
        self._prepare = prepare
        self._confirmed = confirmed
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.present: LoginStatus | None = None
        """The latest step of the latest login; None if no login was begun in this process."""

    @property
    def is_active(self) -> bool:
        """Whether a login is in progress."""
        return self._task is not None and not self._task.done()

    async def begin(self, method: LoginMethod) -> LoginStatus:
        """
        Begin a login, or continue with the one in progress, and return its step.

        Raises:
            GatewayProblem: Another process makes the login.
        """
        if not self.is_active:
            await self._prepare()
        if not self.is_active or self.present is None:
            self.present = LoginStatus(state="waiting")
            self._task = asyncio.get_running_loop().create_task(self._run(asks_phone=method == "push"))
        return self.present

    def note_confirmed(self) -> None:
        """Show that the latest login has succeeded, in another process."""
        self.present = LoginStatus(state="confirmed")

    async def wait(self, seconds: float) -> None:
        """Return once no login is in progress, or after some seconds."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    async def cancel(self) -> bool:
        """Stop a login in progress, and return whether it existed."""
        if not self.is_active or self._task is None:
            return False
        await cancel_until_done([self._task])
        self._enter("failed", error=FAILURES[LOGIN_STOPPED], error_code=LOGIN_STOPPED)
        return True

    async def watch(self) -> AsyncGenerator[LoginStatus, None]:
        """Yield the present step of the latest login and each further one; end after the last one."""
        shown: LoginStatus | None = None
        while self.present is not None:
            status, news = self.present, self._news
            if status is not shown:
                shown = status
                yield status
            if status.state in _FINAL:
                return
            if self.present is status:
                await news.wait()

    async def _run(self, *, asks_phone: bool) -> None:
        try:
            async for progress in self._log_in(asks_phone):
                code = None if progress.code is None else progress.code.url
                # A scanned code stays valid until the phone confirms, so it is still shown.
                kept = self.present.code if progress.step == "scanned" and self.present is not None else None
                self._enter(progress.step, code=code or kept)
        except WxError as error:
            self._enter("failed", error=str(error), error_code=code_of_error(error))
        else:
            self._confirmed()

    def _enter(
        self, state: str, *, code: str | None = None, error: str | None = None, error_code: str = ""
    ) -> None:  # fmt: skip
        number = 0 if self.present is None else self.present.number + 1
        self.present = LoginStatus(
            state=state, number=number, code=code, error=error, error_code=error_code,  # type: ignore[arg-type]  # a step is a state
        )  # fmt: skip
        self._news.set()
        self._news = asyncio.Event()
