"""Unknown contacts are looked up in the background: fifty at a time, once a second, and not again after a failure."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import run_with_virtual_clock, until

from webwx.client.people.contact_lookup import DELAY, INTERVAL, MOST_MISSING, MOST_WANTED, PAUSE, ContactLookup
from webwx.errors import LoggedOut, RateLimited

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from webwx.protocol.contacts import ContactKey


class Server:
    """Has all contacts but the excluded ones, and records each call and its time."""

    def __init__(self, *, unknown: Collection[str] = ()) -> None:
        self.calls: list[tuple[float, list[ContactKey]]] = []
        self.unknown = set(unknown)
        self.failures: list[Exception] = []
        self.lookups = ContactLookup(self.look_up)

    async def look_up(self, keys: Sequence[ContactKey]) -> Collection[str]:
        self.calls.append((asyncio.get_running_loop().time(), list(keys)))
        await asyncio.sleep(0.05)
        if self.failures:
            raise self.failures.pop(0)
        return {key.user_name for key in keys} - self.unknown

    @property
    def asked(self) -> list[str]:
        return [key.user_name for _, keys in self.calls for key in keys]

    @property
    def times(self) -> list[float]:
        return [round(when, 2) for when, _ in self.calls]

    async def drained(self) -> None:
        await until(lambda: not len(self.lookups))


def test_requests_at_the_same_time_are_one_call() -> None:
    async def work() -> None:
        server = Server()
        for who in ("@a", "@b", "@a"):
            server.lookups.ask(who, "@@room")
        await server.drained()

        assert server.times == [DELAY]
        assert [(key.user_name, key.encry_chat_room_id) for key in server.calls[0][1]] == [
            ("@a", "@@room"), ("@b", "@@room"),
        ]  # fmt: skip

    run_with_virtual_clock(work)


def test_a_thousand_lookups_are_twenty_calls_one_second_apart() -> None:
    async def work() -> None:
        server = Server()
        for number in range(1_000):
            server.lookups.ask(f"@{number}")
        await server.drained()

        assert [len(keys) for _, keys in server.calls] == [50] * 20
        assert min(later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)) >= INTERVAL

    run_with_virtual_clock(work)


def test_calls_are_a_second_apart_also_after_an_idle_time() -> None:
    async def work() -> None:
        server = Server()
        server.lookups.ask("@a")
        await server.drained()
        server.lookups.ask("@b")
        await server.drained()

        assert server.times[1] - server.times[0] >= INTERVAL

    run_with_virtual_clock(work)


def test_an_id_in_a_running_call_is_not_requested_again() -> None:
    async def work() -> None:
        server = Server()
        server.lookups.ask("@a")
        await until(lambda: bool(server.calls))
        server.lookups.ask("@a")
        await server.drained()

        assert server.asked == ["@a"]

    run_with_virtual_clock(work)


def test_unknown_ids_are_requested_twice_only() -> None:
    async def work() -> None:
        server = Server(unknown={"@ghost"})
        for _ in range(3):
            server.lookups.ask("@ghost")
            server.lookups.ask("@a")
            await server.drained()

        assert server.asked.count("@ghost") == 2

    run_with_virtual_clock(work)


def test_an_id_that_was_omitted_once_is_looked_up_again() -> None:
    async def work() -> None:
        server = Server(unknown={"@late"})
        server.lookups.ask("@late")
        await until(lambda: bool(server.calls))
        await asyncio.sleep(0.1)
        server.unknown.clear()
        await server.drained()
        server.unknown.add("@late")
        server.lookups.ask("@late")
        await server.drained()

        assert server.asked == ["@late"] * 4

    run_with_virtual_clock(work)


@pytest.mark.verify
def test_requests_are_unique_and_bounded() -> None:
    async def work() -> None:
        server = Server()
        for _ in range(2):
            for group in range(200):
                for member in range(500):
                    server.lookups.ask(f"@{group}-{member}")
        assert len(server.lookups) == MOST_WANTED
        server.lookups.ask("@one too many")
        assert len(server.lookups) == MOST_WANTED
        await server.drained()

        assert len(server.asked) == len(set(server.asked)) == MOST_WANTED

    run_with_virtual_clock(work)


def test_no_memory_is_used_for_completed_lookups() -> None:
    async def work() -> None:
        async def look_up(keys: Sequence[ContactKey]) -> Collection[str]:
            return {key.user_name for key in keys}

        lookups = ContactLookup(look_up)
        lookups.ask("@first")
        await until(lambda: not len(lookups))
        tracemalloc.start()
        try:
            for number in range(2_000):
                lookups.ask(f"@{number}")
            await until(lambda: not len(lookups))
            kept, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert kept < most / 3  # An emptied dict keeps its table.

    run_with_virtual_clock(work)


@pytest.mark.verify
def test_the_memory_for_unknown_ids_is_bounded() -> None:
    async def work() -> None:
        everybody = [f"@{number}" for number in range(MOST_MISSING + 50)]
        server = Server(unknown=everybody)
        for start in range(0, len(everybody), MOST_WANTED):
            for who in everybody[start : start + MOST_WANTED]:
                server.lookups.ask(who)
            await server.drained()
        server.calls.clear()
        for who in (everybody[0], everybody[-1]):
            server.lookups.ask(who)
        await server.drained()

        assert set(server.asked) == {everybody[0]}

    run_with_virtual_clock(work)


def test_a_refusal_is_followed_by_a_pause_of_a_minute_and_the_other_ids() -> None:
    async def work() -> None:
        server = Server()
        server.failures = [RateLimited("too often")]
        for number in range(60):
            server.lookups.ask(f"@{number}")
        await server.drained()

        assert [len(keys) for _, keys in server.calls] == [50, 10]
        assert server.times[1] - server.times[0] >= PAUSE

    run_with_virtual_clock(work)


def test_the_end_of_the_login_cancels_all_lookups() -> None:
    async def work() -> None:
        server = Server()
        server.failures = [LoggedOut("gone", reason="phone")]
        for number in range(60):
            server.lookups.ask(f"@{number}")
        await server.drained()
        await asyncio.sleep(100)

        assert len(server.calls) == 1

    run_with_virtual_clock(work)


def test_closing_cancels_all_lookups() -> None:
    async def work() -> None:
        server = Server()
        await server.lookups.close()
        server.lookups.ask("@a")
        await server.lookups.close()
        await asyncio.sleep(100)

        assert server.calls == []
        assert len(server.lookups) == 0

    run_with_virtual_clock(work)
