"""Entries of the audit log for what callers have changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from webwx.storage.base import RecordStore

if TYPE_CHECKING:
    from webwx.gateway.auth import Caller

InjectedRecords = NamedDependency[SkipValidation[RecordStore]]


async def note(records: RecordStore, caller: Caller, action: str, target: str, detail: str = "") -> None:
    """Append an entry about a change that was made; it never holds a secret or a text."""
    await records.append_audit(caller.id, action, target=target, detail=detail, time=time.time())
