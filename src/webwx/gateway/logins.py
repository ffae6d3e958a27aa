"""The latest login of an account: its progress, for any number of watchers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from webwx.client.cancellation import cancel_until_done
from webwx.errors import WxError
from webwx.gateway.accounts import LoginStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from webwx.client.accounts import LoginProgress

_log = logging.getLogger("webwx.gateway")

_FINAL = frozenset({"confirmed", "failed"})


class LoginWatch:
    """
    The logins of one account, one at a time.

    Args:
        begin: Begins a login; the argument says whether to ask the phone of an earlier login.
        confirmed: Called after a login that has succeeded.
    """

    def __init__(self, begin: Callable[[bool], AsyncIterator[LoginProgress]], confirmed: Callable[[], object]) -> None:
        self._begin = begin
        self._confirmed = confirmed
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.status: LoginStatus | None = None
        """The latest step; None if there was no login."""

    @property
    def is_active(self) -> bool:
        """Whether a login is in progress."""
        return self._task is not None and not self._task.done()

    def begin(self, *, asks_phone: bool) -> LoginStatus:
        """Begin a login, or continue with the one in progress; return its step."""
        if not self.is_active or self.status is None:
            self.status = LoginStatus(state="waiting")
            self._task = asyncio.get_running_loop().create_task(self._run(asks_phone))
        return self.status

    async def wait(self) -> None:
        """Return once no login is in progress."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def cancel(self) -> bool:
        """Stop a login in progress, and return whether it existed."""
        if not self.is_active or self._task is None:
            return False
        await cancel_until_done([self._task])
        self._enter("failed", error="The login was stopped.")
        return True

    async def watch(self) -> AsyncGenerator[LoginStatus, None]:
        """Yield the present step and each further one; end after the last one."""
        shown: LoginStatus | None = None
        while self.status is not None:
            status, news = self.status, self._news
            if status is not shown:
                shown = status
                yield status
            if status.state in _FINAL:
                return
            if self.status is status:
                await news.wait()

    async def _run(self, asks_phone: bool) -> None:
        try:
            async for progress in self._begin(asks_phone):
                code = None if progress.code is None else progress.code.url
                # A scanned code stays valid until the phone confirms, so it is still shown.
                kept = self.status.code if progress.step == "scanned" and self.status is not None else None
                self._enter(progress.step, code=code or kept)
        except WxError as error:
            self._enter("failed", error=str(error))
        else:
            self._confirmed()

    def _enter(self, state: str, *, code: str | None = None, error: str | None = None) -> None:
        number = 0 if self.status is None else self.status.number + 1
        self.status = LoginStatus(state=state, number=number, code=code, error=error)  # type: ignore[arg-type]  # a step is a state
        self._news.set()
        self._news = asyncio.Event()
