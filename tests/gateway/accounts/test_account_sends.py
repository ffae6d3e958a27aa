"""The wait for the outcome of a send, wherever the send is made; `test_database_account` stores sends for an owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.errors import ApiError, SendOutcomeUnknown
from webwx.gateway.accounts.account_sends import TextContent, sent_of

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

    from webwx.storage.tables.outbox import Outgoing

LONG = 3600.0
"""Seconds that no test waits."""


async def queued(online: Running) -> Outgoing:
    """Store a text that no process sends by itself."""
    return await online.port.account(1).client.queue_text("filehelper", "hello", key="k")


async def test_the_wait_ends_as_soon_as_a_change_is_noted(online: Running) -> None:
    account = online.port.account(1)
    row = await queued(online)
    waiting = asyncio.ensure_future(account.sends.wait(row, LONG))
    await asyncio.sleep(0)
    await account.client.retry_send(row.number)
    account.sends.note_change()
    assert (await waiting).state == "sent"


async def test_the_wait_ends_after_its_seconds_with_the_present_state(online: Running) -> None:
    row = await queued(online)
    assert (await online.port.account(1).sends.wait(row, 0)).state == "queued"


async def test_a_send_with_an_outcome_is_not_waited_for(online: Running) -> None:
    account = online.port.account(1)
    await account.sends.send("filehelper", TextContent(text="hello"), key="k")
    row = await account.client.find_send(key="k")
    assert row is not None
    assert await account.sends.wait(row, LONG) is row


async def test_the_wait_for_a_send_that_was_deleted_ends(online: Running) -> None:
    account = online.port.account(1)
    row = await queued(online)
    assert await account.client.forget_send(row.number)
    assert await account.sends.wait(row, LONG) == row


async def test_a_send_without_a_receipt_is_an_error(online: Running) -> None:
    row = await queued(online)
    outbox = online.port.account(1).client.subscribe("other").part.outbox
    for state, error in (("failed", ApiError), ("unknown", SendOutcomeUnknown)):
        await outbox.settle(row.number, state, time=0)  # type: ignore[arg-type]  # as in the tuple
        found = await online.port.account(1).client.find_send(number=row.number)
        assert found is not None
        with pytest.raises(error):
            sent_of(found)
