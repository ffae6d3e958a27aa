"""
What it costs to hand an event to a handler: its lane, its context, the handler's call and the acknowledgement.

Nothing is read from a disk or a network, and the handler does nothing, so that the figure is the delivery's alone.
Prints one JSON object:

    python benchmarks/delivery.py                  20,000 events in 100 chats
    python benchmarks/delivery.py --chats 1
    python benchmarks/delivery.py --handlers 20    by a bot, the last of whose handlers is the one that fits
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time

import msgspec

from webwx import AsyncClient, Bot, ContactId, Context, Event, TextMessage
from webwx.bot.dispatch import Dispatch, Listeners
from webwx.bot.lanes import Lanes
from webwx.client.feed import Given
from webwx.model.events import Item, event_from_item
from webwx.store.journal import Entry

ROUNDS = 7


class Memory:
    """Events that are there already."""

    name = "bot"

    def __init__(self, events: list[Given]) -> None:
        self._events = events
        self._begin = 0
        self.acked: list[int] = []

    async def take(self, limit: int = 100) -> list[Given]:
        """Give the next ones."""
        self._begin, begin = self._begin + limit, self._begin
        return self._events[begin : self._begin]

    async def again(self, number: int, *, attempt: int, redelivered: bool, deaths: int) -> Given | None:
        """Never asked: nothing waits for long."""
        raise NotImplementedError

    def ack(self, number: int) -> None:
        """Note it."""
        self.acked.append(number)

    async def blame(self, number: int) -> None:
        """Never called: nothing is suspected."""
        raise NotImplementedError

    def absolve(self, number: int) -> None:
        """Never called: nothing fails."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Nothing is stored."""

    async def failed(self, number: int, error: str) -> int:
        """Never called: nothing fails."""
        raise NotImplementedError

    async def give_up(self, number: int, error: str) -> None:
        """Never called: nothing fails."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Nothing runs."""


def make(count: int, chats: int) -> list[Given]:
    """Make texts, in turn from so many people."""
    made = []
    for number in range(1, count + 1):
        chat = ContactId(f"@{number % chats}")
        fields = {"MsgId": str(number), "FromUserName": chat, "ToUserName": "@me", "MsgType": 1, "Content": "在吗？"}
        item = Item(kind="message", raw=msgspec.Raw(msgspec.json.encode(fields)))
        entry = Entry(
            number=number, item=item, own_id=ContactId("@me"), message_id=str(number), chat=chat, time=1_700_000_000
        )
        made.append(Given(entry, event_from_item(item, "@me")))
    return made


async def handler(ctx: Context, event: Event) -> None:
    """Be as quick as can be."""


def bot_of(handlers: int) -> Bot:
    """Make a bot whose last handler is the one that fits."""
    bot = Bot()
    for number in range(handlers - 1):
        bot.on(TextMessage, text=f"command {number}")(handler)
    bot.on(TextMessage)(handler)
    return bot


async def once(client: AsyncClient, events: list[Given], handlers: int) -> float:
    """Hand out all events, by a bot unless it has no handlers, and give the seconds that the processor took."""

    async def handle(given: Given, attempt: int) -> None:
        await handler(Context(client, given.event, key=f"bot/{given.event.number}", attempt=attempt), given.event)

    if handlers:
        handle = Dispatch(
            "bot", client, bot_of(handlers), Listeners(), threads=1, attempts=3, time_limit=None, answers=20
        ).handle
    source = Memory(events)
    begun = time.process_time()
    await Lanes(source, handle).run()
    took = time.process_time() - begun
    assert len(source.acked) == len(events)
    return took


async def measure(count: int, chats: int, handlers: int) -> dict[str, object]:
    """Run several rounds, and give the median."""
    events = make(count, chats)
    async with AsyncClient() as client:
        rounds = [await once(client, events, handlers) for _ in range(ROUNDS)]
    micros = [seconds / count * 1e6 for seconds in rounds]
    return {
        "events": count,
        "chats": chats,
        "handlers": handlers,
        "rounds": ROUNDS,
        "us_per_event": round(statistics.median(micros), 2),
        "us_per_event_best": round(min(micros), 2),
    }


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--chats", type=int, default=100)
    parser.add_argument("--handlers", type=int, default=0, help="of a bot; 0: no bot, as with `deliver`")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.events, options.chats, options.handlers))))


if __name__ == "__main__":
    main()
