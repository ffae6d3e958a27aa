"""A question to an owner that is stored without a gateway, for tests of commands."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.program import Program, StoredProgram
from webwx.gateway.adapters.programs import Programs
from webwx.gateway.adapters.stored_confirmations import StoredConfirmations
from webwx.storage.open import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.storage.tables.records import RecordStore

KEY = "k"


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[RecordStore]:
    """Open the records of a storage."""
    storage = open_storage(place, passphrase="three words long")
    try:
        yield storage.records()
    finally:
        await storage.close()


async def store_accepted(place: str) -> str:
    """Store a program with an accepted send, and return the id of the program."""
    async with opened(place) as records:
        made = await Programs(records, time.time).create(
            StoredProgram(id="", name="n", adapter="mcp", account=1, digest="", created_at=0)
        )
        stored = StoredConfirmations(records, time.time)
        send = SendToConfirm(KEY, 2, "Boss", is_group=False, kind="text", text="hello")
        asked = await stored.add(Program(made.program, None), send)
        await stored.change(asked, lambda each: msgspec.structs.replace(each, state="accepted"))
        return made.program.id


async def state_of(place: str, program: str) -> str:
    """Return the state of the send of a program; empty if it is not stored any more."""
    async with opened(place) as records:
        found = await StoredConfirmations(records, time.time).find(program, KEY)
        return "" if found is None else found.state
