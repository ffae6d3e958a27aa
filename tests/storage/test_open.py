"""Opening a journal by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import UIN, opened

from webwx.errors import InvalidSettings
from webwx.storage.open import open_journal
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("form", ["path", "text", "url", "escaped"])
async def test_a_path_and_an_sqlite_url_open_the_same_file(path: Path, form: str) -> None:
    async with SqliteJournal(path) as stored:
        await opened(stored)
    urls: dict[str, str | Path] = {
        "path": path,
        "text": str(path),
        "url": f"sqlite:///{path}",
        "escaped": f"sqlite:///{path}".replace("me.journal", "me%2Ejournal"),
    }
    journal = open_journal(urls[form])

    assert await journal.accounts() == [UIN]
    await journal.close()


async def test_a_relative_url_is_a_path_in_the_working_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent.parent)
    journal = open_journal("sqlite:///state/me.journal")
    await opened(journal)
    await journal.close()

    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_each_journal_in_memory_is_a_new_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    await opened(open_journal("memory:"))

    assert await open_journal("memory:").accounts() == []
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("url", ["mysql://here/journal", "sqlite://here/me.journal", "://"])
def test_a_url_of_an_unknown_engine_is_refused_with_the_valid_ones(url: str) -> None:
    with pytest.raises(InvalidSettings, match="use a path, sqlite:///PATH, postgresql://HOST/DATABASE or memory:"):
        open_journal(url)
