"""A journal as a whole, and an account's small states: stored by name, changed without losing a change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, UIN, arrival, message, opened

from webwx.errors import StorageError
from webwx.storage.postgres import news
from webwx.storage.sqlite import journal as sqlite_journal
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal

pytestmark = pytest.mark.plain


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
    with pytest.raises(StorageError, match="closed"):
        await account.outbox.sending(1, 1.0, FRIEND)


async def test_the_fingerprint_differs_after_another_process_has_changed_a_send(
    quick_engine: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_journal, "_COMMIT", 0.0)
    monkeypatch.setattr(news, "NEWS_DELAY", 3_600)  # the reader must learn of changes by their announcement
    async with quick_engine.open() as journal, quick_engine.open() as of_other:
        await opened(journal)
        other = of_other.account(UIN)
        seen = set[object]()

        async def until_different() -> None:
            async with asyncio.timeout(60):
                while (now := journal.fingerprint(UIN)) in seen:  # noqa: ASYNC110 - it depends on another thread
                    await asyncio.sleep(0.01)
            seen.add(now)

        seen.add(journal.fingerprint(UIN))
        send = await other.outbox.add(client_id="2", chat=FRIEND, kind="text", text="hello", key="", time=2)
        await until_different()
        assert await other.outbox.sending(send.number, 3, FRIEND)
        await until_different()
        await other.outbox.settle(send.number, "sent", time=4, begun_at=3)
        await until_different()


async def test_the_fingerprint_of_a_file_that_has_just_changed_is_of_one_moment(tmp_path: Path) -> None:
    async with SqliteJournal(tmp_path / "private" / "me.journal") as journal:
        await opened(journal)
        assert journal.fingerprint(UIN) != journal.fingerprint(UIN)
