"""Events of an account's journal with the names to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.accounts.journal_lookup import named_events, required_event, required_send
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


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
        [shown] = await named_events(1, account.client, [event])
        assert (shown.chat_name, shown.sender_name) == names


async def test_what_the_journal_does_not_have_is_a_problem(online: Running) -> None:
    client = online.port.account(1).client
    with pytest.raises(GatewayProblem, match="no event"):
        await required_event(client, 99)
    with pytest.raises(GatewayProblem, match="no send"):
        await required_send(client, "99")
