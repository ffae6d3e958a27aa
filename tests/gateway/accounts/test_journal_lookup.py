"""Events of an account's journal with the names to show."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from webwx.client.people.identities import SURE
from webwx.errors import StaleContact, UnknownContact
from webwx.gateway.accounts.journal_lookup import id_for_user, named_events, required_event, required_send, user_of
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


async def test_a_number_has_an_id_for_its_own_user_only(online: Running) -> None:
    client = online.port.account(1).client
    boss, user = await client.who("Boss"), await user_of(client)
    assert await id_for_user(client, boss.number, user) == await id_for_user(client, "Boss", user) == boss.contact_id
    for which in (boss.number, "Boss"):
        with pytest.raises(StaleContact, match="Another WeChat user"):
            await id_for_user(client, which, user + 1)


async def test_a_contact_that_is_not_surely_the_person_of_a_number_is_not_taken_for_it(online: Running) -> None:
    client = online.port.account(1).client
    number, user = (await client.who("Boss")).number, await user_of(client)
    [path] = online.folder.rglob("*.journal")
    with contextlib.closing(sqlite3.connect(path)) as journal:
        doubt = """printf('{"by":"matched","confidence":0.8%d}', origin)"""  # no two origins have the same content
        journal.execute(f"UPDATE origins SET content = {doubt}")
        journal.commit()
    assert all(link.confidence < SURE for link in await client.why(number))
    with pytest.raises(StaleContact, match="not certain"):
        await client.send_text(number, "hello")
    with pytest.raises(UnknownContact, match="nothing was sent"):
        await id_for_user(client, number, user)
