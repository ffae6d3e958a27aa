"""Each receiving command has its own cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.cli.messages.consumers import LISTEN, RECEIVE, begin
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path


async def test_both_consumers_begin_at_the_first_login_and_only_once(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "a.journal")
    account = journal.account(1)
    await begin(account)
    listening = await account.consumer(LISTEN)
    await begin(account)
    receiving = await account.consumer(RECEIVE)
    assert [await each.take() for each in (listening, receiving)] == [[], []]
    await journal.close()
