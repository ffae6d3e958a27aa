"""One-time codes and sessions of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.gateway.access.test_keys import is_in_a_file

from webwx.gateway.access.sessions import CODE_SECONDS, SESSION_SECONDS, ConsoleSessions, session_id
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

NOW = [1_000.0]


@pytest.fixture(autouse=True)
def _begin() -> None:
    NOW[0] = 1_000.0


@pytest.fixture
def sessions() -> ConsoleSessions:
    return ConsoleSessions(open_records("memory:"), lambda: NOW[0])


async def test_a_code_opens_one_session(sessions: ConsoleSessions) -> None:
    code = await sessions.create_code()
    token = await sessions.exchange(code)

    assert token is not None
    assert await sessions.is_valid(token)
    assert await sessions.exchange(code) is None
    assert await sessions.exchange("guess") is None
    assert not await sessions.is_valid("guess")


async def test_a_code_expires(sessions: ConsoleSessions) -> None:
    code = await sessions.create_code()
    NOW[0] += CODE_SECONDS
    assert await sessions.exchange(code) is None


async def test_a_session_expires_and_is_deleted(sessions: ConsoleSessions) -> None:
    token = await sessions.exchange(await sessions.create_code())
    assert token is not None
    assert await sessions.is_valid(token)
    NOW[0] += SESSION_SECONDS
    assert not await sessions.is_valid(token)
    await sessions.create_code()
    assert not await sessions.is_valid(token)


async def test_sessions_can_be_ended_one_by_one_and_all_at_once(sessions: ConsoleSessions) -> None:
    one, two, three = [await sessions.exchange(await sessions.create_code()) for _ in range(3)]
    assert one is not None
    assert two is not None
    assert three is not None
    await sessions.end(session_id(one))
    assert [await sessions.is_valid(token) for token in (one, two, three)] == [False, True, True]
    await sessions.end_all()
    assert [await sessions.is_valid(token) for token in (two, three)] == [False, False]


async def test_a_session_survives_a_restart_and_its_token_is_not_stored(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    sessions = ConsoleSessions(records, lambda: NOW[0])
    token = await sessions.exchange(await sessions.create_code())
    assert token is not None
    await records.close()
    assert not is_in_a_file(token, tmp_path)

    records = open_records(tmp_path / "gateway.db")
    assert await ConsoleSessions(records, lambda: NOW[0]).is_valid(token)
    await records.close()
