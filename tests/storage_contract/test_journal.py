"""A journal as a whole, and an account's small states: stored by name, changed without losing a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    UIN,
    arrival,
    message,
    opened,
)

from webwx.errors import StorageError

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal


class TestStates:
    async def test_each_account_has_small_states_by_name(self, journal: Journal, account: AccountJournal) -> None:
        assert await account.state("pace") == b""
        assert await account.change_state("pace", lambda before: before + b"1") == b"1"
        assert await account.change_state("pace", lambda before: before + b"2") == b"12"

        assert await journal.account(UIN).state("pace") == b"12"
        assert await journal.account(UIN).state("timers") == b""
        assert await journal.account(UIN + 1).state("pace") == b""

    async def test_a_change_that_raises_changes_nothing(self, account: AccountJournal) -> None:
        await account.change_state("pace", lambda _: b"good")
        with pytest.raises(ZeroDivisionError):
            await account.change_state("pace", lambda _: bytes(1 // 0))
        assert await account.state("pace") == b"good"


async def test_no_repr_shows_the_uin_of_an_account(journal: Journal) -> None:
    account = journal.account(UIN)
    assert str(UIN) not in f"{account!r} {account.outbox!r} {journal!r}"


async def test_a_closed_journal_refuses_calls_and_can_be_closed_again(engine: StorageEngine) -> None:
    journal = engine.open()
    account = await opened(journal)
    await journal.close()
    await journal.close()
    with pytest.raises(StorageError, match="closed"):
        await account.ingest(arrival(message(1)))
