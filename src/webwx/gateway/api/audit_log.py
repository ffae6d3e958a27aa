"""
The audit log: one entry for each change that a caller has made.

Entries are written here for every route, so no handler can forget one; a handler only adds what is not in the path. An
entry never contains a secret or the text of a message.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.types import Scope

from webwx.errors import StorageError
from webwx.gateway.access.auth import CONSOLE, SAFE_METHODS
from webwx.gateway.api.serve_route import with_slashes
from webwx.storage.tables.records import NewAuditEntry, RecordStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from litestar.types import ASGIApp, Message, Receive, Send

    from webwx.gateway.accounts.account import GatewayAccounts

_log = logging.getLogger("webwx.gateway")

_STATE = "webwx_change"
"""Key of the change in the ASGI scope of its request."""

_OF_SENDS = frozenset({"send", "send:filehelper"})
"""Scopes of sends, which the outbox stores as well; their entries are written after the answer."""

MOST_UNWRITTEN = 100
"""Number of answered sends whose entries may be unwritten, and are lost by a crash; further sends wait for theirs."""

_WRITTEN_TOGETHER = MOST_UNWRITTEN // 2
"""Number of entries of sends that are written at once, without a delay."""

DELAY = 0.1
"""
Seconds until the entry of a send is written, with all others since.

Written at once, it delays the commit of the next send: both wait for the same disk.
"""

InjectedRecords = NamedDependency[SkipValidation[RecordStore]]


class AuditedChange:
    """The content of an entry in addition to the path of its request."""

    def __init__(self) -> None:
        self.target: str | None = None
        """What was changed; None: the parameters of the path."""
        self.detail = ""


InjectedAudited = NamedDependency[SkipValidation[AuditedChange]]


def audited_change(scope: Scope) -> AuditedChange:
    """Return the change that a request makes."""
    change: AuditedChange = scope["state"].setdefault(_STATE, AuditedChange())
    return change


class AuditLog:
    """
    Writes the entries.

    Args:
        records: Stores the entries.
        port: The accounts; an entry has an account's number, also if the path has its name.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, port: GatewayAccounts, clock: Callable[[], float]) -> None:
        self._records = records
        self._port = port
        self._clock = clock
        self._waiting: list[NewAuditEntry] = []
        """The entries of answered sends that are not being written yet."""
        self._unwritten = 0
        """Number of answered sends whose entries are not written, or are being written."""
        self._timer: asyncio.TimerHandle | None = None
        """Begins to write the waiting entries."""
        self._writing: set[asyncio.Task[None]] = set()

    def recorded(self, app: ASGIApp) -> ASGIApp:
        """Return an application that records the changes that another one makes, each before its answer begins."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def record_and_send(message: Message) -> None:
                await self.record(message, scope)
                await send(message)

            def send_recorded(message: Message) -> Awaitable[None]:  # no coroutine of its own: streams send a lot
                return record_and_send(message) if message["type"] == "http.response.start" else send(message)

            await app(scope, receive, send_recorded)

        return answer

    async def record(self, message: Message, scope: Scope) -> None:
        """
        Write an entry before the answer to a successful change begins; that of a send usually after it.

        Raises:
            StorageError: The entry was not stored.
        """
        if message["type"] != "http.response.start" or message["status"] >= 400:
            return
        handler = scope.get("route_handler")
        if handler is None or scope.get("method", "GET") in SAFE_METHODS:
            return
        change, caller = audited_change(scope), scope.get("user")
        entry = NewAuditEntry(
            self._clock(),
            CONSOLE if caller is None else caller.id,
            action_of(handler.fn.__name__),
            self._target(scope) if change.target is None else change.target,
            change.detail,
        )
        if handler.opt.get("scope") in _OF_SENDS and self._unwritten < MOST_UNWRITTEN:
            self._waiting.append(entry)
            self._unwritten += 1
            if len(self._waiting) >= _WRITTEN_TOGETHER:
                self._write_waiting()
            elif self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(DELAY, self._write_waiting)
        else:
            self._write_waiting()  # before, because the entries are in the order of the changes
            await asyncio.ensure_future(self._records.append_audits([entry]))

    async def close(self) -> None:
        """Wait until all entries are written, those of answered sends included."""
        self._write_waiting()
        await asyncio.gather(*self._writing)

    def _write_waiting(self) -> None:
        """Begin to write the entries of answered sends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        entries, self._waiting = self._waiting, []
        if entries:
            task = asyncio.ensure_future(self._write(entries))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write(self, entries: Sequence[NewAuditEntry]) -> None:
        try:
            await self._records.append_audits(entries)
        except StorageError as error:
            _log.warning("%d sends were not recorded in the audit log: %s", len(entries), error)
        finally:
            self._unwritten -= len(entries)

    def _target(self, scope: Scope) -> str:
        """Return the parameters of the path, with an account's number."""
        parameters = dict(scope.get("path_params", {}))
        if "account" in parameters:
            parameters["account"] = str(self._port.find_account(parameters["account"]) or parameters["account"])
        return "/".join(with_slashes(str(value)) for value in parameters.values())


def action_of(handler: str) -> str:
    """Return the name of an action by the name of its handler: `create_key` is `key.create`."""
    verb, _, noun = handler.partition("_")
    return f"{noun}.{verb}" if noun else verb
