"""Consumers and their dead letters over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

LETTERS = "/api/v1/accounts/1/consumers/bot/dead-letters"


async def give_up(running: Running, *texts: str) -> list[int]:
    """Receive texts that the bot gives up; return their numbers."""
    numbers: list[int] = []
    async with running.port.account(1).client.subscribe("bot") as subscription:
        for text in texts:
            running.world.say("ahua", "me", text)
        while len(numbers) < len(texts):
            for delivered in await subscription.take():
                if getattr(delivered.event, "text", "") in texts:
                    numbers.append(delivered.entry.number)
                    await subscription.give_up(delivered.entry.number, "ValueError at bot.py:7")
                else:
                    subscription.ack(delivered.entry.number)
    return numbers


async def test_a_dead_letter_is_listed_and_revived(online: Running) -> None:
    [letter] = await give_up(online, "too hard")
    async with online.client("read", "manage") as client:
        [listed] = (await client.get(LETTERS)).json()["dead_letters"]
        assert (listed["event"]["number"], listed["error"]) == (letter, "ValueError at bot.py:7")
        assert listed["error_code"] == "handler-failed"
        assert (await client.post(f"{LETTERS}/{letter}/revive")).status_code == 204
        assert (await client.post(f"{LETTERS}/{letter}/revive")).status_code == 404
        assert (await client.get(LETTERS)).json()["dead_letters"] == []


async def test_dead_letters_come_in_pages(online: Running) -> None:
    first, second, third = await give_up(online, "one", "two", "three")
    async with online.client("read") as client:
        pages = [(await client.get(LETTERS, params={"limit": 2})).json()]
        pages.append((await client.get(LETTERS, params={"limit": 2, "before": pages[0]["before"]})).json())
    assert [[each["event"]["number"] for each in page["dead_letters"]] for page in pages] == [[third, second], [first]]
    assert [page["before"] for page in pages] == [second, None]


async def test_a_consumer_is_listed_and_deleted_once_it_is_closed(online: Running) -> None:
    consumers = "/api/v1/accounts/1/consumers"
    async with online.client("read", "manage") as client:
        async with online.port.account(1).client.subscribe("bot"):
            online.world.say("ahua", "me", "hi")
            number = (await online.until_text("hi")).event.number
            refused = await client.delete(f"{consumers}/bot")
            assert (refused.status_code, refused.json()["code"]) == (409, "already-running")
        listed = {each["name"]: each for each in (await client.get(consumers)).json()["consumers"]}
        assert listed["bot"]["waiting"] >= 1
        assert listed["bot"]["acknowledged"] < number
        assert listed["bot"]["dead_letters"] == 0
        assert (await client.delete(f"{consumers}/bot")).status_code == 204
        assert (await client.delete(f"{consumers}/bot")).status_code == 404
        assert "bot" not in {each["name"] for each in (await client.get(consumers)).json()["consumers"]}
        assert (await client.delete(f"{consumers}/gateway")).status_code == 409
