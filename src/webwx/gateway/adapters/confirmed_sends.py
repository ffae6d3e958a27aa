"""
The sends that their owner has accepted, made where the account runs.

The key of a send is that of its question, and the outbox has one send with a key. So the row that stores the send also
spends the answer: a process that dies before has stored nothing, and one that makes the send again stores nothing new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from webwx.client.cancellation import cancel_until_done
from webwx.errors import (
    ConnectFailed,
    LoggedOut,
    NotLoggedIn,
    RateLimited,
    RateLimitReached,
    SendOutcomeUnknown,
    StorageError,
    TlsError,
    WxError,
)
from webwx.gateway.accounts.account_sends import MediaContent
from webwx.gateway.accounts.journal_lookup import id_for_user
from webwx.gateway.problems import GatewayProblem, code_of_error

if TYPE_CHECKING:
    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.gateway.adapters.confirmed_account import ConfirmedAccounts
    from webwx.gateway.adapters.program import Program
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations

_log = logging.getLogger("webwx.gateway")

_LOOK_EVERY = 5.0
"""Seconds between two looks for answers that another process has stored: a node, or a command."""

_RETRY = 15.0
"""Seconds until a send that could not be made is tried again."""

_WAIT = 25.0
"""Seconds until the send of a file goes on in the background."""

_PASSING = (
    ConnectFailed, TlsError, RateLimited, RateLimitReached, LoggedOut, NotLoggedIn, StorageError, GatewayProblem
)  # fmt: skip
"""Errors after which a send is tried again."""


class ConfirmedSends:
    """
    Makes the accepted sends of programs at this node.

    Args:
        stored: The confirmations.
        accounts: The accounts.
    """

    def __init__(self, stored: StoredConfirmations, accounts: ConfirmedAccounts) -> None:
        self._stored = stored
        self._accounts = accounts
        self._tasks: dict[str, asyncio.Task[NoReturn]] = {}
        self._news: dict[str, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"ConfirmedSends({len(self._tasks)} programs)"

    def begin(self, program: Program) -> None:
        """Make the sends of a program from now on, those that an earlier process has left included."""
        self._news[program.id] = asyncio.Event()
        self._tasks[program.id] = asyncio.ensure_future(self._run(program))

    def look(self, program_id: str) -> None:
        """Make what was accepted just now."""
        if program_id in self._news:
            self._news[program_id].set()

    async def end(self, program_id: str) -> None:
        """Make no further sends of a program."""
        task = self._tasks.pop(program_id, None)
        self._news.pop(program_id, None)
        if task is not None:
            await cancel_until_done([task])

    async def _run(self, program: Program) -> NoReturn:
        news = self._news[program.id]
        while True:
            news.clear()
            try:
                is_done = await self._make_all(program)
            except (WxError, GatewayProblem, OSError) as error:  # such as a full disk, for the file of a send
                _log.debug("The accepted sends of a program cannot be made now (%s).", type(error).__name__)
                is_done = False
            pause = _LOOK_EVERY if is_done else _RETRY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await news.wait()

    async def _make_all(self, program: Program) -> bool:
        """Make the accepted sends, and return whether none is left for this node."""
        if program.account not in await self._accounts.list_owned():
            return True
        results = [await self._make(each) for each in await self._stored.list(program.id) if each.state == "accepted"]
        return all(results)

    async def _make(self, confirmation: Confirmation) -> bool:
        error = ""
        try:
            await self._send(confirmation)
        except _PASSING as passing:
            _log.debug("An accepted send waits (%s).", type(passing).__name__)
            return False
        except SendOutcomeUnknown:
            pass  # the outbox shows it
        except WxError as failed:
            error = code_of_error(failed)
            _log.warning("An accepted send of a program was not made (%s).", error)
        row = await self._accounts.account(confirmation.account).client.find_send(key=confirmation.key)
        made = msgspec.structs.replace(confirmation, state="made")
        if row is None:
            made = msgspec.structs.replace(confirmation, state="failed", error=error)
        await self._stored.change(confirmation, lambda stored: made if stored.state == "accepted" else stored)
        return True

    async def _send(self, confirmation: Confirmation) -> None:
        account, key, to = self._accounts.account(confirmation.account), confirmation.key, confirmation.to
        if isinstance(to, int):
            to = await id_for_user(account.client, to, confirmation.user)
        sends = account.sends
        match confirmation.kind:
            case "text":
                await sends.enqueue(to, confirmation.text, key=key)
            case "forward":
                await sends.forward(confirmation.event, to, key=key)
            case kind:
                with tempfile.TemporaryDirectory(prefix="webwx-") as folder:
                    path = Path(folder) / "file"
                    await asyncio.to_thread(path.write_bytes, await self._stored.file_of(confirmation))
                    content = MediaContent(kind=kind, path=path, name=confirmation.file)
                    await sends.send(to, content, key=key, wait=_WAIT)
                if confirmation.text:
                    await sends.enqueue(to, confirmation.text, key=f"{key}-caption")
