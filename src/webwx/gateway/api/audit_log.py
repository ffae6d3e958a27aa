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
from webwx.gateway.auth import CONSOLE, SAFE_METHODS
from webwx.storage.base import RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from litestar.types import Message

    from webwx.gateway.port import GatewayPort

_log = logging.getLogger("webwx.gateway")

_STATE = "webwx_change"
"""Key of the change in the ASGI scope of its request."""

_OF_SENDS = frozenset({"send", "send:filehelper"})
"""Scopes of sends, which the outbox stores as well; their entries are written after the answer."""

MOST_UNWRITTEN = 100
"""Number of answered sends whose entries may be unwritten, and are lost by a crash; further sends wait for theirs."""

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

    def __init__(self, records: RecordStore, port: GatewayPort, clock: Callable[[], float]) -> None:
        self._records = records
        self._port = port
        self._clock = clock
        self._writing: set[asyncio.Task[None]] = set()

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
        writing = self._write(scope, action_of(handler.fn.__name__))
        if handler.opt.get("scope") in _OF_SENDS and len(self._writing) < MOST_UNWRITTEN:
            task = asyncio.ensure_future(self._write_later(writing))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        else:
            await writing

    async def close(self) -> None:
        """Wait until all entries are written, those of answered sends included."""
        await asyncio.gather(*self._writing)

    async def _write(self, scope: Scope, action: str) -> None:
        change, caller = audited_change(scope), scope.get("user")
        target = self._target(scope) if change.target is None else change.target
        actor = CONSOLE if caller is None else caller.id
        await self._records.append_audit(actor, action, target=target, detail=change.detail, time=self._clock())

    async def _write_later(self, writing: Coroutine[object, object, None]) -> None:
        try:
            await writing
        except StorageError as error:
            _log.warning("A send was not recorded in the audit log: %s", error)

    def _target(self, scope: Scope) -> str:
        """Return the parameters of the path, with an account's number."""
        parameters = dict(scope.get("path_params", {}))
        if "account" in parameters:
            parameters["account"] = str(self._port.find_account(parameters["account"]) or parameters["account"])
        return "/".join(str(value) for value in parameters.values())


def action_of(handler: str) -> str:
    """Return the name of an action by the name of its handler: `create_key` is `key.create`."""
    verb, _, noun = handler.partition("_")
    return f"{noun}.{verb}" if noun else verb
