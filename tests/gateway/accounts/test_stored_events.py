"""The events of an account that runs elsewhere are read from its journal, once for several readers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import pytest

from webwx.gateway.accounts.stored_events import StoredEvents
from webwx.gateway.problems import GatewayProblem
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def refuse() -> NoReturn:
    raise GatewayProblem("unavailable")


async def test_several_readers_get_the_stored_events(online: Running) -> None:
    online.world.say("ahua", "me", "hello")
    number = (await online.until_text("hello")).event.number
    events = StoredEvents(1, lambda: online.port.account(1).client, refuse)
    events.newest = number
    first, second = await asyncio.gather(*(events.read_events(number - 1, limit=10) for _ in range(2)))
    assert [each.event.text for each in first if isinstance(each.event, TextMessage)] == ["hello"]
    assert (second, events.newest) == (first, number)
    assert await events.read_events(number, limit=10) == []
    assert await events.list_events(number - 1, since=0, until=0, limit=10) == first


async def test_before_the_first_login_there_are_no_events(running: Running) -> None:
    account = await running.port.add_account("default")
    assert await StoredEvents(1, lambda: account.client, refuse).read_events(0, limit=10) == []


async def test_consumers_are_opened_by_the_owner(online: Running) -> None:
    with pytest.raises(GatewayProblem):
        await StoredEvents(1, lambda: online.port.account(1).client, refuse).consume("bot").__aenter__()
