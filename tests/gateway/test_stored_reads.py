"""Reads of an account's journal through the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_a_message_is_found_in_the_journal(online: Running) -> None:
    online.world.say("ahua", "me", "hello")
    arrived = await online.until_text("hello")
    account = online.port.account(1)
    page = await account.history_page(None, words="hello", limit=10, before="", since=0, until=0)
    assert [each.entry.number for each in page.entries] == [arrived.event.number]
    assert await account.required_message(arrived.event.number) == page.entries[0].entry
    assert not await account.was_sent_here(arrived.event.number)
