"""Timers: stored once, found while they wait, and settled once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.arrivals import FRIEND, ROOM, UIN, arrival, everything, message, opened

from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.tables.timers import StoredTimer, TimerOutcome

NOW = 1_764_012_345.123456
DAY = 86_400.0


async def added(account: AccountJournal, key: str, *, due_at: float = NOW + 60, **choices: Any) -> StoredTimer:
    choices = {"bot": "bot", "handler": "remind", "name": "", "chat": "", "payload": b"null", "time": NOW, **choices}
    return await account.timers.add(key=key, due_at=due_at, **choices)


async def keys(account: AccountJournal, **conditions: Any) -> list[str]:
    """Return the keys of the waiting timers of a bot."""
    query = TimerQuery(**{"bot": "bot", **conditions})
    return [row.key for row in await account.timers.find(query)]


async def test_stored_timer_is_found_with_all_its_fields(account: AccountJournal) -> None:
    row = await added(account, "a", name="tea", chat=FRIEND, payload='{"text":"茶"}'.encode())
    (found,) = await account.timers.find(TimerQuery(bot="bot"))

    assert found == row
    assert (row.bot, row.handler, row.key, row.name, row.chat) == ("bot", "remind", "a", "tea", FRIEND)
    assert (row.payload.decode(), row.state, row.failures) == ('{"text":"茶"}', "waiting", 0)
    assert (row.due_at, row.created_at, row.changed_at) == (NOW + 60, NOW, NOW)


@pytest.mark.parametrize("outcome", [None, "done", "failed", "cancelled"])
async def test_same_key_is_the_same_timer_in_any_state(account: AccountJournal, outcome: TimerOutcome | None) -> None:
    first = await added(account, "a")
    if outcome:
        await account.timers.settle(first.number, outcome, time=NOW + 1)
    again = await added(account, "a", due_at=NOW + 500, handler="other")
    other = await added(account, "b")

    assert (again.number, again.due_at, again.handler) == (first.number, first.due_at, "remind")
    assert again.state == (outcome or "waiting")
    assert other.number > first.number


async def test_timers_are_found_in_the_order_of_their_times(account: AccountJournal) -> None:
    for key, due_at in {"late": NOW + 90, "soon": NOW + 10, "at once": NOW - 5, "soon as well": NOW + 10}.items():
        await added(account, key, due_at=due_at)
    assert await keys(account) == ["at once", "soon", "soon as well", "late"]
    assert await keys(account, limit=2) == ["at once", "soon"]
    assert await keys(account, due_until=NOW + 10) == ["at once", "soon", "soon as well"]


async def test_timers_are_found_by_bot_number_and_name(account: AccountJournal) -> None:
    one = await added(account, "one", name="tea")
    await added(account, "two", name="tea")
    await added(account, "three")
    await added(account, "four", bot="other", name="tea")
    assert await keys(account, name="tea") == ["one", "two"]
    assert await keys(account, name="") == ["three"]
    assert await keys(account, number=one.number) == ["one"]
    assert await keys(account, number=one.number, name="coffee") == []
    assert await keys(account, bot="other") == ["four"]


async def test_each_account_has_its_own_timers(journal: Journal) -> None:
    one, other = await opened(journal), journal.account(UIN + 1)
    row = await added(one, "a")
    assert await keys(other) == []
    assert await other.timers.settle(row.number, "done", time=NOW) is False
    await added(other, "a", due_at=NOW + 7)
    assert [each.due_at for each in await one.timers.find(TimerQuery(bot="bot"))] == [NOW + 60]


async def test_timer_is_settled_once_and_not_found_afterwards(account: AccountJournal) -> None:
    row = await added(account, "a")
    assert await account.timers.settle(row.number, "cancelled", time=NOW) is True
    assert await account.timers.settle(row.number, "done", time=NOW) is False
    assert await account.timers.settle(99, "done", time=NOW) is False
    assert await keys(account) == []
    assert (await added(account, "a")).state == "cancelled"


async def test_failed_attempts_and_the_time_of_the_next_one_are_stored(account: AccountJournal) -> None:
    row = await added(account, "a")
    await account.timers.postpone(row.number, NOW + 100, failures=1, time=NOW + 61)
    await account.timers.postpone(row.number, NOW + 200, failures=2, time=NOW + 101)
    (found,) = await account.timers.find(TimerQuery(bot="bot"))
    assert (found.failures, found.due_at, found.changed_at) == (2, NOW + 200, NOW + 101)


async def test_settled_timer_cannot_be_postponed(account: AccountJournal) -> None:
    row = await added(account, "a")
    await account.timers.settle(row.number, "cancelled", time=NOW)
    await account.timers.postpone(row.number, NOW + 100, failures=1, time=NOW)
    assert await keys(account) == []


async def test_lone_surrogates_in_a_timer_can_be_stored(account: AccountJournal) -> None:
    await added(account, "a\ud83c", name="tea\ud83c", bot="bot\ud83c")
    await added(account, "a\ud83c", name="tea\ud83c", bot="bot\ud83c")
    assert len(await account.timers.find(TimerQuery(bot="bot\ud83c", name="tea\ud83c"))) == 1


async def test_waiting_timer_survives_its_process(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    row = await added(await opened(journal), "a")
    await quick_engine.kill(journal)

    journal = quick_engine.open()
    assert await journal.account(UIN).timers.find(TimerQuery(bot="bot")) == [row]
    await journal.close()


async def test_timers_of_a_chat_are_purged_with_it(account: AccountJournal) -> None:
    await added(account, "waits", chat=FRIEND)
    settled = await added(account, "settled", chat=FRIEND)
    await account.timers.settle(settled.number, "done", time=NOW)
    await added(account, "elsewhere", chat=ROOM)
    assert await account.purge(chats=[FRIEND]) == 2
    assert await keys(account) == ["elsewhere"]
    assert (await added(account, "settled")).state == "waiting", "the key can be used again"


async def test_purge_by_age_keeps_waiting_timers(account: AccountJournal) -> None:
    await added(account, "waits")
    for key, at in {"old": NOW, "new": NOW + 10}.items():
        row = await added(account, key)
        await account.timers.settle(row.number, "done", time=at)
    assert await account.purge(before=NOW + 5) == 1
    assert await keys(account) == ["waits"]
    assert (await added(account, "new")).state == "done"


async def test_settled_timers_are_deleted_after_the_retention_time(engine: StorageEngine) -> None:
    journal = engine.open(retention_days=1)
    account = await opened(journal)
    now = time.time()
    for key in ("old", "waits"):
        await added(account, key, time=now - 3 * DAY)
    (old, _) = await account.timers.find(TimerQuery(bot="bot"))
    await account.timers.settle(old.number, "done", time=now - 2 * DAY)
    await account.ingest(arrival(message("1"), at=now - 2 * DAY))
    await account.ingest(arrival(message("2"), at=now))
    async with asyncio.timeout(30):
        while len(await everything(account)) > 1:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.1)
        while (await added(account, "old")).state == "done":  # noqa: ASYNC110 - the same
            await asyncio.sleep(1.5)
    assert await keys(account) == ["waits", "old"]
    await journal.close()
