"""The numbers of accounts, which all gateways of one storage share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.gateway.accounts.numbers import AccountNumbers, NumberedAccount
from webwx.model.archive import Keep
from webwx.representations.accounts import AccountSettings
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def numbers() -> AccountNumbers:
    return AccountNumbers(open_records("memory:"), lambda: 1_000.0)


async def test_an_account_keeps_its_number(numbers: AccountNumbers) -> None:
    assert await numbers.get("work") is None
    work = await numbers.add("work")
    assert (await numbers.add("work"), await numbers.get("work")) == (work, work)
    assert [account.name for account in (await numbers.add("home"), *await numbers.find())] == ["home", "home", "work"]


async def test_a_number_is_never_used_again(numbers: AccountNumbers) -> None:
    await numbers.add("work")
    await numbers.remove("work")
    assert (await numbers.add("work")).number == 2


async def test_callers_that_add_an_account_at_the_same_time_get_one_number(numbers: AccountNumbers) -> None:
    added = await asyncio.gather(*(numbers.add(name) for name in ("work", "home", "work", "home", "work")))
    assert len({account.number for account in added}) == 2
    assert len(await numbers.find()) == 2


async def test_the_revision_grows_with_each_change(numbers: AccountNumbers) -> None:
    revisions = [await numbers.revision()]
    work = await numbers.add("work")
    revisions.append(await numbers.revision())
    await numbers.change(work)
    revisions.append(await numbers.revision())
    await numbers.remove("work")
    revisions.append(await numbers.revision())
    assert revisions == sorted(set(revisions))
    await numbers.add("work")
    assert [each.number for each in await numbers.find()] == [2]


async def test_a_change_is_stored(numbers: AccountNumbers) -> None:
    await numbers.add("work", AccountSettings(host="filehelper"))
    changed = NumberedAccount(1, "work", "My work", AccountSettings(host="web", keep=Keep(), rate_limit="off"))
    assert await numbers.find() == [NumberedAccount(1, "work", settings=AccountSettings(host="filehelper"))]
    await numbers.change(changed)
    assert await numbers.find() == [changed]


async def test_accounts_that_are_added_at_once_do_not_conflict_with_each_other(tmp_path: Path) -> None:
    writes: list[float] = []

    def clock() -> float:  # read once for each attempt to write
        writes.append(1_000.0)
        return writes[-1]

    records = open_records(tmp_path / "records.sqlite")
    numbers = AccountNumbers(records, clock)
    added = await asyncio.gather(*(numbers.add(f"account-{number}") for number in range(50)))
    assert sorted(account.number for account in added) == list(range(1, 51))
    assert len(writes) == 3 * 50
    await records.close()


async def test_after_a_restore_no_number_of_a_lost_account_is_used(numbers: AccountNumbers) -> None:
    before = await numbers.add("work")
    await numbers.skip_assigned()
    assert (await numbers.get("work"), (await numbers.add("home")).number) == (before, 1_000_002)
