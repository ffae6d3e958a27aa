"""Which key may open which consumer; tests/gateway/api/test_events.py has the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.access.auth import Caller
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_one_of_two_keys_that_open_a_new_consumer_at_once_gets_it(online: Running) -> None:
    owners, account = online.gateway.consumer_owners, online.port.account(1)
    callers = [Caller(id=key, scopes=("events",), accounts=None, address="") for key in ("one", "two")]
    await owners.require(callers[0], account, "new")
    record = await online.gateway.records.get("consumer", "1/new")
    assert record is not None
    await owners.require(callers[1], account, "new")  # it was never opened, and the key does not exist
    with pytest.raises(GatewayProblem):
        await owners.require(callers[1], account, "gateway")
    await owners.forget(1, "new")
    assert await online.gateway.records.find("consumer") == []
