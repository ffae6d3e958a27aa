"""The states of accounts that their owners publish."""

from __future__ import annotations

import msgspec

from webwx.gateway.accounts.account import AccountStatus
from webwx.gateway.accounts.published_states import PublishedStates
from webwx.storage.open import open_records


async def test_the_last_published_state_is_read_by_all() -> None:
    records = open_records("memory:")
    owner, other = (PublishedStates(records, lambda: 1_000.0) for _ in range(2))
    online = AccountStatus(number=3, name="work", state="online", since=900.0, nickname="小明")
    ended = AccountStatus(
        number=3, name="work", state="logged_out", since=950.0, error="The phone ended it.", error_code="logged-out"
    )
    assert await other.get(3) is None
    for status in (online, ended):
        await owner.put(status)
        assert (await other.get(3), await other.find()) == (status, {3: status})


async def test_the_state_of_a_removed_account_is_deleted() -> None:
    states = PublishedStates(open_records("memory:"), lambda: 1_000.0)
    await states.put(AccountStatus(number=3, name="work", state="online", since=900.0))
    await states.forget(3)
    assert await states.find() == {}


async def test_a_state_that_an_earlier_version_has_published_has_its_error_without_a_code() -> None:
    records = open_records("memory:")
    body = {"number": 3, "name": "work", "state": "degraded", "since": 950.0, "error": "No answer."}
    await records.overwrite("account.state", {"3": msgspec.json.encode(body)}, time=1_000.0)
    status = await PublishedStates(records, lambda: 1_000.0).get(3)
    assert status is not None
    assert (status.error, status.error_code) == ("No answer.", "")


async def test_several_states_are_published_together() -> None:
    states = PublishedStates(open_records("memory:"), lambda: 1_000.0)
    await states.put(AccountStatus(number=2, name="old", state="online", since=900.0))
    both = [AccountStatus(number=number, name="work", state="degraded", since=950.0) for number in (2, 10)]
    await states.put(*both)
    assert await states.find() == {2: both[0], 10: both[1]}
