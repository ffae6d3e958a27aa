"""The events of an account that runs here: readers get each one once, and consumers miss none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.accounts.account import AccountFollower
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway


class FollowerOfTheFirst(AccountFollower):
    """A follower with one consumer, in the journal of the first account."""

    def names_on(self, account: int) -> list[str]:
        return ["named"] if account == 1 else []

    async def close_account(self, account: int) -> None:
        """Do nothing: the test ends its consumers."""


async def test_an_event_that_has_not_arrived_is_read_later_and_only_once(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        running.world.say("ahua", "me", "the last one")
        await running.until_text("the last one")
    async with start_gateway() as running:
        events = running.port.account(1).events
        newest = events.newest
        events.newest = newest - 1  # the journal has one event more
        before = await running.port.events.read([1], "", limit=500)
        early = await running.port.events.read([1], before.cursor, limit=500)
        events.newest = newest
        after = await running.port.events.read([1], early.cursor, limit=500)

    numbers = [event.event.number for page in (before, early, after) for event in page.events]
    assert numbers == list(range(1, newest + 1))
    assert (before.lost, early.lost, after.lost) == (False, False, False)


async def test_a_consumer_that_begins_with_the_sync_gets_what_arrives_before_it_is_opened(running: Running) -> None:
    running.port.followers.append(FollowerOfTheFirst())
    await running.log_in()
    running.world.say("ahua", "me", "early")
    await running.until_text("early")
    account = running.port.account(1)
    async with (
        account.events.consume("named", follow=False) as named,
        account.events.consume("unnamed", follow=False) as unnamed,
    ):
        found = [account_event.event for account_event in await named.take()]
        assert [each.text for each in found if isinstance(each, TextMessage)] == ["early"]
        assert await unnamed.take() == []
