"""The accounts of a process, and the changes that its reader receives."""

from __future__ import annotations

from webwx.cluster.changes import Change, Gained, Leaving, Lost
from webwx.cluster.owned_accounts import OwnedAccounts


async def rest_of(owned: OwnedAccounts) -> list[Change]:
    """End the changes, and return those that were not read."""
    owned.end()
    return [change async for change in owned.changes()]


async def test_each_change_is_passed_on_once() -> None:
    owned = OwnedAccounts()
    owned.gain(1, 5)
    owned.gain(1, 5)
    owned.gain(2, 3)
    owned.lose(2)
    owned.lose(2)
    assert await rest_of(owned) == [Gained(account=1, epoch=5), Gained(account=2, epoch=3), Lost(account=2)]
    assert (list(owned), owned.epoch_of(1), owned.epoch_of(2)) == ([1], 5, None)


async def test_an_account_with_a_new_epoch_was_lost_in_between() -> None:
    owned = OwnedAccounts()
    owned.gain(1, 5)
    owned.gain(1, 7)
    assert await rest_of(owned) == [Gained(account=1, epoch=5), Lost(account=1), Gained(account=1, epoch=7)]


async def test_what_is_owned_is_adjusted_to_what_the_database_holds() -> None:
    owned = OwnedAccounts()
    owned.gain(1, 5)
    owned.gain(2, 5)
    owned.adjust({2: 5, 3: 6})
    assert (await rest_of(owned))[2:] == [Lost(account=1), Gained(account=3, epoch=6)]


async def test_accounts_gained_last_are_handed_over_first_and_asked_for_once() -> None:
    owned = OwnedAccounts()
    for account in (1, 2, 3):
        owned.gain(account, 1)
    owned.hand_over(-1)
    owned.hand_over(1)
    owned.hand_over(1)
    owned.hand_over(2)
    assert (await rest_of(owned))[3:] == [Leaving(account=3, epoch=1), Leaving(account=2, epoch=1)]


async def test_a_released_account_is_no_change() -> None:
    owned = OwnedAccounts()
    owned.gain(1, 5)
    assert not owned.remove(1, 4)
    assert owned.remove(1, 5)
    assert not owned.remove(1, 5)
    await owned.wait_until_empty()
    assert await rest_of(owned) == [Gained(account=1, epoch=5)]


async def test_neither_changes_nor_the_set_show_an_account() -> None:
    owned = OwnedAccounts()
    owned.gain(987654, 5)
    owned.hand_over(1)
    owned.lose(987654)
    assert "987654" not in f"{owned!r} {await rest_of(owned)!r}"
