"""Looks at the sends of other processes: when something is read, and what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.reading.sends_of_others import SendsOfOthers
from webwx.model.contacts import ContactId
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from webwx.storage.tables.outbox import State


def send(number: int, state: State, changed_at: float) -> Outgoing:
    return Outgoing(
        number=number, client_id=str(number), chat=ContactId("filehelper"), kind="text", state=state,
        created_at=changed_at, changed_at=changed_at,
    )  # fmt: skip


class File:
    """A journal's file with some sends, which counts how often it is read."""

    def __init__(self, *sends: Outgoing) -> None:
        self.sends = list(sends)
        self.version: int | None = 1
        self.reads = 0

    async def newest(self) -> list[Outgoing]:
        self.reads += 1
        return self.sends

    def look(self, since: float = 10.0) -> SendsOfOthers:
        return SendsOfOthers(lambda: self.version, self.newest, since)


async def test_changes_are_found_in_the_order_of_their_times() -> None:
    file = File(send(2, "sent", 9.0), send(1, "failed", 8.0))
    others = file.look()
    assert await others.look() == []
    file.sends = [send(3, "queued", 11.0), send(2, "recalled", 12.0), send(1, "failed", 8.0)]
    file.version = 2
    assert await others.look() == [3, 2]
    assert await others.look() == []


async def test_a_send_that_changes_before_the_first_look_is_found() -> None:
    assert await File(send(2, "sent", 11.0), send(1, "sent", 9.0)).look().look() == [2]


async def test_an_old_send_that_is_among_the_newest_again_is_no_change() -> None:
    file = File(send(2, "sent", 9.0))
    others = file.look()
    await others.look()
    file.sends, file.version = [send(1, "sent", 8.0)], 2
    assert await others.look() == []


async def test_a_file_that_has_not_changed_is_not_read_again() -> None:
    file = File(send(1, "sent", 9.0))
    others = file.look()
    for _ in range(3):
        await others.look()
    assert file.reads == 1


async def test_the_death_of_a_sending_process_is_found_although_it_changes_no_file() -> None:
    file = File(send(1, "sending", 9.0))
    others = file.look()
    assert await others.look() == []
    file.sends = [send(1, "unknown", 9.0)]
    assert await others.look() == [1]
    assert await others.look() == []
    assert file.reads == 2


async def test_a_journal_without_a_file_is_not_read() -> None:
    file = File(send(1, "sending", 11.0))
    file.version = None
    assert await file.look().look() == []
    assert file.reads == 0
