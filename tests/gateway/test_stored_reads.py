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
    page = await account.history_page(None, words="hello", limit=10, before="", since=0, until=0)
    assert [each.entry.number for each in page.entries] == [arrived.event.number]
    assert await account.required_message(arrived.event.number) == page.entries[0].entry
    assert not await account.was_sent_here(arrived.event.number)


async def test_members_and_people_of_earlier_logins_have_names(online: Running) -> None:
    world, account = online.world, online.port.account(1)
    world.say("ahua", "me", "before")
    earlier = (await online.until_text("before")).event
    world.log_out("me")
    await account.check()
    await online.log_in()
    world.add_person("Stranger", id="stranger")
    world.add_chatroom("Club", ["me", "ahua", "stranger"], id="club")
    world.say("stranger", "club", "from a member")
    of_member = await online.until_text("from a member")
    assert (of_member.chat_name, of_member.sender_name) == ("Club", "Stranger")
    for event, names in ((earlier, ("阿华", "阿华")), (of_member.event, ("Club", "Stranger"))):
        [shown] = await account.named_events([event])
        assert (shown.chat_name, shown.sender_name) == names


async def test_what_the_journal_does_not_have_is_a_problem(online: Running) -> None:
    account = online.port.account(1)
    with pytest.raises(GatewayProblem, match="no event"):
        await account.required_message(99)
    with pytest.raises(GatewayProblem, match="no send"):
        await account.required_send("99")
