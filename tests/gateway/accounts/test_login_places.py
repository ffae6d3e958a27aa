"""Where the logins of accounts without an owner are made."""

from __future__ import annotations

import asyncio

from webwx.gateway.accounts.login_places import LoginPlace, LoginPlaces
from webwx.gateway.problems import GatewayProblem
from webwx.storage.open import open_records

A, B = (LoginPlace(worker=name, address=f"http://{name}") for name in "ab")


async def test_all_gateways_know_where_a_login_is_made_until_the_account_has_an_owner() -> None:
    records = open_records("memory:")
    one, other = (LoginPlaces(records, lambda: 1_000.0) for _ in range(2))
    assert await other.get(1) is None
    await one.take(1, A)
    assert await other.get(1) == A
    await other.take(1, B)
    assert await one.get(1) == B
    assert await one.forget(1)
    assert not await other.forget(1)
    assert await other.get(1) is None


async def test_one_of_two_gateways_begins_a_login_at_the_same_time() -> None:
    places = LoginPlaces(open_records("memory:"), lambda: 1_000.0)
    began = await asyncio.gather(places.take(1, A), places.take(1, B), return_exceptions=True)
    assert [type(each) for each in began if each is not None] in ([], [GatewayProblem])
    assert await places.get(1) in {A, B}
