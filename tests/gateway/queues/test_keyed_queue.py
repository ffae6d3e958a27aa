"""Events of one key are handled in their order, again after a failure, and only a failing key waits."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.gateway.webhook_receiver import Pauses

from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.consumers import RunningConsumers
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.queues.keyed_queue import MOST_READY, AccountQueue, Failure, KeyedQueue, QueueEnded
from webwx.gateway.queues.retry_times import EventPlace, RetryTimes
from webwx.model.contacts import ContactId
from webwx.model.messages import TextMessage
from webwx.storage.sqlite.private import PrivateRecordStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.gateway.conftest import Running

    from webwx.gateway.accounts.account import EventConsumer, GatewayAccount

CHAT = ContactId("@a")
CONSUMER = "toy-a"
MOST_FAILURES = 3


class Toy:
    """Handles the texts of chats, each as a function of it says."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Failure | None] = lambda _: None
        self.attempts: asyncio.Queue[str] = asyncio.Queue()
        """The text of each attempt."""
        self.notes: list[tuple[str, str]] = []
        """The text of each attempt that is over, and what became of it."""
        self.noted = asyncio.Condition()

    def wants(self, account_event: AccountEvent) -> bool:
        return isinstance(account_event.event, TextMessage)

    def key_of(self, account_event: AccountEvent) -> str:
        return text_of(account_event).partition(" ")[0]

    async def attempt(self, account: GatewayAccount, account_event: AccountEvent) -> Failure | None:
        assert account.number == account_event.account
        text = text_of(account_event)
        self.attempts.put_nowait(text)
        return self.answer(text)

    def pause_after(self, failure: Failure, failures: int) -> float | None:
        return failures if failure.is_passing or failures < MOST_FAILURES else None

    async def note(self, account_event: AccountEvent, failure: Failure | None, due: float | None) -> None:
        outcome = "handled" if failure is None else "dead" if due is None else f"{failure.error}, due at {due:.0f}"
        self.notes.append((text_of(account_event), outcome))
        async with self.noted:
            self.noted.notify_all()

    async def until_noted(self, text: str, outcome: str) -> None:
        async with asyncio.timeout(20), self.noted:
            await self.noted.wait_for(lambda: (text, outcome) in self.notes)

    async def texts(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            return [await self.attempts.get() for _ in range(count)]


def text_of(account_event: AccountEvent) -> str:
    return str(getattr(account_event.event, "text", ""))


class Toys:
    """A toy with its queue, which reads the accounts of a gateway."""

    def __init__(self, running: Running, sleep: Pauses, now: Callable[[], float] = lambda: 0.0) -> None:
        self.running = running
        self.work = Toy()
        self.ended: list[str] = []
        owned = OwnedRecords(running.gateway.records, now)
        self.queue = KeyedQueue(
            "a", CONSUMER, running.port, lambda _: True, self.work, RetryTimes("toy-retry", owned, now), sleep,
            most_attempts=2, on_end=lambda ended: self.ended.append(text_of(ended.account_event)),
        )  # fmt: skip
        self._all = RunningConsumers(running.port, "toy-", self._names)

    async def _names(self) -> set[str]:
        return {CONSUMER}

    async def __aenter__(self) -> Toy:
        self._all.start()
        await self._all.begin("a", self.queue.consumers)
        await self.queue.consumers.until_open()
        return self.work

    async def __aexit__(self, *unused: object) -> None:
        await self._all.close()


async def test_only_the_later_events_of_its_key_wait_for_a_failed_one(online: Running) -> None:
    pauses = Pauses(lasts=True)
    async with Toys(online, pauses) as toy:
        toy.answer = lambda text: Failure(code="not-accepted", error="no") if text == "a 1" else None
        for text in ("a 1", "a 2", "b 1"):
            online.world.say("ahua", "me", text)
        assert await toy.texts(2) == ["a 1", "b 1"]
        await pauses.begun.wait()
        toy.answer = lambda _: None
        pauses.released.set()
        assert await toy.texts(2) == ["a 1", "a 2"]
        await toy.until_noted("a 2", "handled")
    assert sorted(toy.notes[:2]) == [("a 1", "no, due at 1"), ("b 1", "handled")]
    assert toy.notes[2:4] == [("a 1", "handled"), ("a 2", "handled")]


async def test_after_the_last_attempt_an_event_is_a_dead_letter(online: Running) -> None:
    async with Toys(online, Pauses()) as toy:
        toy.answer = lambda text: Failure(code="not-accepted", error="no") if text == "a 1" else None
        online.world.say("ahua", "me", "a 1")
        online.world.say("ahua", "me", "a 2")
        assert await toy.texts(MOST_FAILURES + 1) == ["a 1"] * MOST_FAILURES + ["a 2"]
    assert toy.notes[MOST_FAILURES - 1] == ("a 1", "dead")
    [letter] = await online.port.account(1).client.list_dead_letters(consumer=CONSUMER, limit=10)
    assert (letter.attempts, letter.error) == (MOST_FAILURES, "not-accepted: no")


async def test_the_next_run_waits_for_the_stored_time(online: Running) -> None:
    pauses = Pauses(lasts=True)
    async with Toys(online, pauses) as toy:
        toy.answer = lambda _: Failure(code="not-accepted", error="no")
        online.world.say("ahua", "me", "a 1")
        await pauses.begun.wait()
    later = Pauses()
    async with Toys(online, later, lambda: 0.25) as toy:
        assert await toy.texts(1) == ["a 1"]
    assert (pauses.seconds, later.seconds) == ([1], [0.75])


async def test_a_failure_that_the_event_has_not_caused_is_not_counted(online: Running) -> None:
    pauses = Pauses()
    async with Toys(online, pauses) as toy:
        answers = iter([*[Failure(code="not-accepted", error="full", is_passing=True)] * (MOST_FAILURES + 2), None])
        toy.answer = lambda _: next(answers)
        online.world.say("ahua", "me", "a 1")
        await toy.until_noted("a 1", "handled")
    assert pauses.seconds == [1, 2, 3, 4, 5]
    assert await online.port.account(1).client.list_dead_letters(consumer=CONSUMER, limit=10) == []


async def test_the_next_run_tries_an_event_at_once_after_such_a_failure(online: Running) -> None:
    pauses = Pauses(lasts=True)
    async with Toys(online, pauses) as toy:
        toy.answer = lambda _: Failure(code="not-accepted", error="full", is_passing=True)
        online.world.say("ahua", "me", "a 1")
        await pauses.begun.wait()
    later = Pauses(lasts=True)
    async with Toys(online, later) as toy:
        assert await toy.texts(1) == ["a 1"]
    assert later.seconds == []


async def test_an_event_that_needs_a_login_is_handled_after_the_next_one(online: Running) -> None:
    async with Toys(online, Pauses()) as toy:
        needs = NotLoggedIn("This needs a login.")

        def refuse(_: str) -> None:
            raise needs

        toy.answer = refuse
        online.world.say("ahua", "me", "a 1")
        await toy.texts(1)
        online.world.log_out("me")
        assert (await online.port.account(1).check()).state == "logged_out"
        toy.answer = lambda _: None
        await online.log_in()
        assert await toy.texts(1) == ["a 1"]


async def test_an_ended_queue_keeps_its_events(online: Running) -> None:
    toys = Toys(online, Pauses())

    def end(text: str) -> None:
        event = TextMessage(
            message_id="1", chat=CHAT, sender=CHAT, is_self=False, time=0, text=text, content=text, number=1
        )  # fmt: skip
        raise QueueEnded(AccountEvent(account=1, event=event))

    async with toys as toy:
        toy.answer = end
        online.world.say("ahua", "me", "a 1")
        await toy.texts(1)
    assert toys.ended == ["a 1"]
    async with Toys(online, Pauses()) as toy:
        assert await toy.texts(1) == ["a 1"]


def account_event_of(number: int, text: str = "", *, attempt: int = 1) -> AccountEvent:
    event = TextMessage(
        message_id=str(number), chat=CHAT, sender=CHAT, is_self=False, time=0, text=text, content=text, number=number
    )  # fmt: skip
    return AccountEvent(account=1, event=event, attempt=attempt)


@contextlib.asynccontextmanager
async def queue_of(
    *, has_one_key: bool, failed: int = 0, pauses: Pauses | None = None, most_attempts: int = 0
) -> AsyncIterator[AccountQueue[Failure]]:
    """Make a queue in which no attempt is made; events up to a number have failed, and wait for an hour."""
    unused, now = cast("Any", None), lambda: 0.0
    times = RetryTimes("toy-retry", OwnedRecords(PrivateRecordStore(), now), now)
    for number in range(1, failed + 1):
        await times.postpone(EventPlace("a", 1, number), 3600)
    work = cast("Any", Toy())
    work.key_of = lambda account_event: "" if has_one_key else account_event.event.number
    endless = pauses or Pauses(lasts=True)
    queue = KeyedQueue(
        "a", CONSUMER, unused, lambda _: True, cast("Toy", work), times, endless, most_attempts=most_attempts
    )
    account = cast("GatewayAccount", Numbered())
    async with asyncio.TaskGroup() as group:
        made = AccountQueue(queue, account, cast("EventConsumer", Acknowledging()), group)
        yield made
        made.cancel()


class Numbered:
    """The only part of an account that a queue needs without an attempt."""

    number = 1


class Acknowledging:
    """The only part of a consumer that a queue needs if no attempt fails."""

    def ack(self, number: int) -> None:
        pass


async def count_put(queue: AccountQueue[Failure], events: int, attempt: int, room: int) -> int:
    """Put events, at least as many as there should be room for, and return for how many there was room."""
    count = 0

    async def put_all() -> None:
        nonlocal count
        for number in range(1, events + 1):
            await queue.put(account_event_of(number, attempt=attempt))
            count += 1
            await asyncio.sleep(0)

    putting = asyncio.ensure_future(put_all())
    while count < room:  # noqa: ASYNC110 - nothing marks a place that is taken
        await asyncio.sleep(0)
    for _ in range(4 * events):
        await asyncio.sleep(0)
    putting.cancel()
    return count


@pytest.mark.parametrize(
    ("has_one_key", "failed", "room"), [(True, 0, MOST_READY), (False, 0, MOST_READY), (False, 3_000, 2_000)]
)
async def test_no_further_events_are_read_without_room(has_one_key: bool, failed: int, room: int) -> None:
    async with queue_of(has_one_key=has_one_key, failed=failed) as queue:
        assert await count_put(queue, 3_000, 2 if failed else 1, room) == room


async def test_events_that_are_handled_make_room_for_others() -> None:
    async with asyncio.timeout(20), queue_of(has_one_key=True, most_attempts=1) as queue:
        for number in range(1, MOST_READY + 2):
            await queue.put(account_event_of(number))
        await queue.until_idle()


async def test_a_hundred_events_behind_a_failed_one_stay_in_memory() -> None:
    size, count, pauses = 10_000, 1_000, Pauses(lasts=True)
    async with queue_of(has_one_key=True, failed=1, pauses=pauses) as queue:
        await queue.put(account_event_of(1, attempt=2))
        await pauses.begun.wait()
        tracemalloc.start()
        try:
            for number in range(2, count + 1):
                await queue.put(account_event_of(number, "x" * size + str(number)))
                await asyncio.sleep(0)
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert 100 * size < used < 200 * size
