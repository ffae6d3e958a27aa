"""The account's part of a journal: its owner, and the storage without a journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.postgres import new_schema

from webwx.client.login.account_storage import AccountStorage
from webwx.errors import NoJournal, NotLoggedIn
from webwx.model.contacts import ContactId
from webwx.model.login import Login
from webwx.protocol.hosts import choose
from webwx.protocol.login import Credentials
from webwx.transport.runner import SessionState

if TYPE_CHECKING:
    from pathlib import Path


def session_state(uin: int = 0) -> SessionState:
    """Return the session of an account, with or without a login."""
    profile, hosts = choose("web", None, ())
    login = Login(profile_name=profile.name, server=None, hosts=hosts, user_id="@me" if uin else "")
    return SessionState(msgspec.structs.replace(login, credentials=Credentials(uin=str(uin))), time.time)


async def test_without_a_login_there_is_no_part(tmp_path: Path) -> None:
    storage = AccountStorage(tmp_path / "a.journal", session_state())
    with pytest.raises(NotLoggedIn):
        storage.part()
    with pytest.raises(NotLoggedIn):
        await storage.latest_part()
    await storage.close()


async def test_without_a_journal_there_are_states_only() -> None:
    storage = AccountStorage(None, session_state(7))
    assert not storage.has_journal
    with pytest.raises(NoJournal, match="journal="):
        storage.part()
    await storage.states().change_state("pace", lambda _: b"1")
    assert await storage.states().state("pace") == b"1"


async def test_a_journal_given_as_a_path_is_opened_again_after_close(tmp_path: Path) -> None:
    storage = AccountStorage(tmp_path / "a.journal", session_state(7))
    await storage.states().change_state("pace", lambda _: b"1")
    await storage.close()

    assert await storage.states().state("pace") == b"1"
    await storage.close()


async def test_without_a_login_the_latest_part_is_that_of_the_last_account(tmp_path: Path) -> None:
    storage = AccountStorage(tmp_path / "a.journal", session_state(7))
    await storage.part().change_state("mark", lambda _: b"seven")
    await storage.close()

    later = AccountStorage(tmp_path / "a.journal", session_state())
    part = await later.latest_part()
    assert await part.state("mark") == b"seven"
    await later.close()


@pytest.mark.verify
async def test_in_a_database_of_several_accounts_no_part_is_chosen_without_a_login() -> None:
    url = new_schema().url
    for uin in (7, 8):
        storage = AccountStorage(url, session_state(uin))
        await storage.part().open_login(ContactId("@me"), b"", float(uin), [])
        later = AccountStorage(url, session_state())
        if uin == 7:
            assert await (await later.latest_part()).position(ContactId("@me")) == b""
        else:
            with pytest.raises(NotLoggedIn):
                await later.latest_part()
        await storage.close()
        await later.close()


def test_changes_are_reported_once() -> None:
    storage = AccountStorage(None, session_state(7))
    news = storage.news
    storage.notify()

    assert news.is_set()
    assert not storage.news.is_set()


def test_the_repr_names_no_account() -> None:
    assert repr(AccountStorage(None, session_state(7))) == "AccountStorage(has_journal=False)"
