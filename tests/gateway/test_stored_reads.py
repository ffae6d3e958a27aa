"""Reads of an account's journal through the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_a_message_is_found_in_the_journal(online: Running) -> None:
    online.world.say("ahua", "me", "hello")
    arrived = await online.until_text("hello")
    account = online.port.account(1)
    found = await account.search("hello", chat=None, limit=10, before=None)
    assert [each.number for each in found] == [arrived.event.number]
    assert await account.required_message(arrived.event.number) == found[0]
    assert not await account.was_sent_here(arrived.event.number)


async def test_what_the_journal_does_not_have_is_a_problem(online: Running) -> None:
    account = online.port.account(1)
    with pytest.raises(GatewayProblem, match="no event"):
        await account.required_message(99)
    with pytest.raises(GatewayProblem, match="no send"):
        await account.required_send("99")
