"""Sends: stored before anything is transmitted, and never repeated or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from tests.storage.arrivals import (
    FRIEND,
    ROOM,
    UIN,
    opened,
)

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.storage.lookup import find_send
from webwx.storage.tables.outbox import SendQuery, State

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.tables.outbox import Outgoing

pytestmark = pytest.mark.plain


NOW = 1_764_012_345.123456


async def added(
    account: AccountJournal, client_id: str, key: str = "", chat: ContactId = FRIEND, at: float = NOW,
    state: Literal["queued", "sending"] = "queued",
) -> Outgoing:  # fmt: skip
    return await account.outbox.add(
        client_id=client_id, chat=chat, kind="text", text=f"text {client_id}", key=key, time=at, state=state
    )


def receipt(client_id: str, message_id: str = "77") -> Receipt:
    return Receipt(message_id=message_id, client_id=client_id, chat=FRIEND, time=NOW)


async def test_the_same_key_is_the_same_send(account: AccountJournal) -> None:
    first = await added(account, "1", key="daily")
    again = await added(account, "2", key="daily")
    other = await added(account, "3", key="weekly")
    without = [await added(account, "4"), await added(account, "5")]

    assert again == first
    numbers = [each.number for each in (first, other, *without)]
    assert numbers == sorted(set(numbers))


async def test_a_known_key_takes_no_number(account: AccountJournal) -> None:
    first = await added(account, "1", key="daily")
    assert await added(account, "2", key="daily") == await added(account, "3", key="daily", state="sending") == first
    assert (await added(account, "4")).number == first.number + 1


def in_background(after: int = 0, limit: int = 100) -> SendQuery:
    return SendQuery(background=True, after=after, limit=limit)


async def waiting(account: AccountJournal, client_id: str, key: str = "") -> Outgoing:
    return await account.outbox.add(
        client_id=client_id, chat=FRIEND, kind="text", text="text", key=key, time=NOW, background=True
    )


async def test_background_sends_are_found_in_their_order(account: AccountJournal) -> None:
    rows = [await waiting(account, "1"), await added(account, "2"), await waiting(account, "3")]
    assert [row.background for row in rows] == [True, False, True]

    assert await account.outbox.find(in_background()) == [rows[0], rows[2]]
    assert await account.outbox.find(in_background(limit=1)) == [rows[0]]
    assert await account.outbox.find(in_background(after=rows[0].number)) == [rows[2]]
    assert await account.outbox.find(SendQuery(after=rows[0].number, limit=1)) == [rows[1]]


async def test_a_known_key_does_not_move_its_send_to_the_background(account: AccountJournal) -> None:
    row = await added(account, "1", key="daily")
    assert await waiting(account, "2", key="daily") == row
    assert await account.outbox.find(in_background()) == []


async def test_a_background_send_is_one_until_it_has_an_outcome(account: AccountJournal) -> None:
    row = await waiting(account, "1")
    await account.outbox.sending(row.number, NOW, FRIEND)
    assert await account.outbox.find(in_background()) == []
    await account.outbox.settle(row.number, "queued", time=NOW + 1, begun_at=NOW)
    assert [each.number for each in await account.outbox.find(in_background())] == [row.number]

    await account.outbox.sending(row.number, NOW + 2, FRIEND)
    await account.outbox.settle(row.number, "failed", time=NOW + 3, begun_at=NOW + 2)
    await account.outbox.sending(row.number, NOW + 4, FRIEND)
    await account.outbox.settle(row.number, "queued", time=NOW + 5, begun_at=NOW + 4)
    assert await account.outbox.find(in_background()) == []


@pytest.mark.parametrize("state", ["queued", "sending"])
async def test_a_send_without_an_outcome_is_moved_to_the_background_once_with_its_file(
    account: AccountJournal, state: Literal["queued", "sending"]
) -> None:
    row = await added(account, "1", state=state)
    assert await account.outbox.move_to_background(row.number, file="a")
    assert not await account.outbox.move_to_background(row.number, file="b")
    found = await find_send(account.outbox, number=row.number)
    assert found is not None
    assert (found.background, found.file) == (True, "a")

    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt("1"))
    assert not await account.outbox.move_to_background(row.number, file="c")
    found = await find_send(account.outbox, number=row.number)
    assert found is not None
    assert (found.background, found.file) == (False, "")


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "unknown"])
async def test_only_a_refused_text_is_queued_again(account: AccountJournal, state: State) -> None:
    refused, other = await added(account, "1", state="sending"), await added(account, "2", state="sending")
    await account.outbox.settle(refused.number, "failed", time=NOW, ret=1)
    if state != "sending":
        await account.outbox.settle(other.number, state, time=NOW)

    assert await account.outbox.queue_again(refused.number, NOW + 1)
    assert not await account.outbox.queue_again(refused.number, NOW + 2)
    assert not await account.outbox.queue_again(other.number, NOW + 1)
    found = await find_send(account.outbox, number=refused.number)
    assert found is not None
    assert (found.state, found.background, found.ret, found.changed_at) == ("queued", True, 0, NOW + 1)


async def test_the_end_of_the_background_leaves_its_sends_queued(account: AccountJournal, journal: Journal) -> None:
    other = await opened(journal, UIN + 1)
    rows = [await waiting(account, "1"), await added(account, "2"), await waiting(other, "1")]
    await account.outbox.move_to_background(rows[1].number, file="a")
    await account.outbox.end_background()

    assert await account.outbox.find(in_background()) == []
    states = {(each.state, each.background, each.file) for each in await account.outbox.find(SendQuery())}
    assert states == {("queued", False, "")}
    assert len(await other.outbox.find(in_background())) == 1


async def test_a_client_id_is_used_once(account: AccountJournal) -> None:
    await added(account, "1")
    with pytest.raises(StorageError):
        await added(account, "1")


async def test_a_send_that_was_added_as_sending_cannot_be_started_again(account: AccountJournal) -> None:
    row = await added(account, "1", key="daily", state="sending")
    again = await added(account, "2", key="daily", state="sending")

    assert row.state == "sending"
    assert again == row
    assert await account.outbox.sending(row.number, NOW, FRIEND) is False


async def test_a_client_id_of_a_send_in_flight_cannot_be_used_again(account: AccountJournal) -> None:
    await added(account, "1", key="daily", state="sending")
    with pytest.raises(StorageError):
        await added(account, "1", key="daily", state="sending")


async def test_a_send_that_was_added_as_sending_is_unknown_after_its_process_died(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    row = await added(await opened(journal), "1", state="sending")
    await quick_engine.kill(journal)

    journal = quick_engine.open()
    found = await find_send(journal.account(UIN).outbox, number=row.number)
    assert found is not None
    assert found.state == "unknown"
    await journal.close()


async def test_a_flushed_send_survives_its_process(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    account = await opened(journal)
    row = await added(account, "1", state="sending")
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt("1"))
    await account.outbox.flush()
    await quick_engine.kill(journal)

    journal = quick_engine.open()
    found = await find_send(journal.account(UIN).outbox, number=row.number)
    assert found is not None
    assert (found.state, found.receipt) == ("sent", receipt("1"))
    await journal.close()


async def test_a_send_goes_through_its_states(account: AccountJournal) -> None:
    row = await added(account, "1")
    assert await account.outbox.sending(row.number, NOW + 1, FRIEND) is True
    await account.outbox.settle(row.number, "sent", time=NOW + 2, receipt=receipt("1"))

    sent = await find_send(account.outbox, number=row.number)
    assert sent is not None
    assert (sent.state, sent.receipt, sent.created_at, sent.changed_at) == ("sent", receipt("1"), NOW, NOW + 2)


@pytest.mark.parametrize("state", ["sending", "unknown", "sent", "recalled", "failed", "queued"])
async def test_outcome_of_an_attempt_replaces_only_sending_or_unknown_of_that_attempt(
    account: AccountJournal, state: str
) -> None:
    row = await added(account, "1")
    assert await account.outbox.sending(row.number, NOW + 1, FRIEND)
    if state != "sending":
        # Another process has settled it: what it takes for dead is `unknown` without a new time.
        await account.outbox.settle(row.number, state, time=NOW + 1)  # type: ignore[arg-type]  # one of them
    for begun_at, is_replaced in ((NOW + 0.5, False), (NOW + 1, state in {"sending", "unknown"})):
        await account.outbox.settle(row.number, "sent", time=NOW + 2, receipt=receipt("1"), begun_at=begun_at)
        await account.outbox.flush()
        found = await find_send(account.outbox, number=row.number)
        assert found is not None
        assert ("sent" if is_replaced else state) == found.state
        assert is_replaced == (found.receipt is not None)


@pytest.mark.parametrize(
    ("state", "may_leave"), [("queued", True), ("failed", True), ("sent", False), ("unknown", False)]
)
async def test_only_a_queued_or_refused_send_can_be_started(
    account: AccountJournal, state: str, may_leave: bool
) -> None:
    row = await added(account, "1")
    await account.outbox.sending(row.number, NOW, FRIEND)
    assert await account.outbox.sending(row.number, NOW, FRIEND) is False, "another caller is sending it"
    await account.outbox.settle(row.number, state, time=NOW, ret=1205)  # type: ignore[arg-type]  # one of them

    assert await account.outbox.sending(row.number, NOW, FRIEND) is may_leave


async def test_a_send_belongs_to_the_chat_that_it_is_sent_to(account: AccountJournal) -> None:
    row = await added(account, "1")
    await account.outbox.sending(row.number, NOW, ROOM)
    await account.outbox.sending(row.number, NOW, FRIEND)  # Another caller, which may not send it.

    assert [each.chat for each in await account.outbox.find(SendQuery())] == [ROOM]


async def test_a_send_is_found_by_each_of_its_names(account: AccountJournal) -> None:
    row = await added(account, "17", key="daily")
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt("17", "4711"))
    row = (await account.outbox.find(SendQuery()))[0]

    assert await find_send(account.outbox, number=1) == row
    assert await find_send(account.outbox, key="daily") == row
    assert await find_send(account.outbox, client_id="17") == row
    assert await find_send(account.outbox, message_id="4711") == row
    assert await find_send(account.outbox, key="hourly") is None
    assert await find_send(account.outbox) is None


async def test_a_send_keeps_its_recipient_as_it_was_named_and_the_id_of_its_content(account: AccountJournal) -> None:
    row = await account.outbox.add(
        client_id="1",
        chat=FRIEND,
        kind="file",
        text="a.txt",
        key="k",
        time=NOW,
        addressed='"Boss\ud83d"',
        content_id="9f",
    )
    assert (row.addressed, row.content_id) == ('"Boss\ufffd"', "9f")
    assert await find_send(account.outbox, key="k") == row


async def test_sends_since_a_time_are_found_after_the_clock_was_put_back(account: AccountJournal) -> None:
    for number in range(1, 261):
        await added(account, str(number), chat=ROOM if number % 2 else FRIEND, at=NOW + (number if number < 258 else 0))

    async def since(seconds: int, **conditions: object) -> list[int]:
        query = SendQuery(since=NOW + seconds, **conditions)  # type: ignore[arg-type]
        return [row.number for row in await account.outbox.find(query)]

    numbers = [row.number for row in await account.outbox.find(SendQuery(limit=260))][::-1]
    assert await since(255) == numbers[254:257][::-1]
    assert await since(255, chats=(ROOM,)) == [numbers[256], numbers[254]]
    assert await since(20, limit=5) == numbers[252:257][::-1]
    assert await since(20, chats=(FRIEND,), limit=2) == [numbers[255], numbers[253]]
    assert len(await since(20, limit=260)) == 238


async def test_sends_are_listed_newest_first_and_can_be_filtered(account: AccountJournal) -> None:
    for number in range(1, 7):
        await added(account, str(number), chat=ROOM if number % 2 else FRIEND, at=NOW + number)
    await account.outbox.settle(2, "failed", time=NOW, ret=1201)

    async def listed(*states: object, **conditions: object) -> list[str]:
        return [row.client_id for row in await account.outbox.find(SendQuery(states=states, **conditions))]  # type: ignore[arg-type]

    assert await listed() == ["6", "5", "4", "3", "2", "1"]
    assert await listed(limit=2) == ["6", "5"]
    assert await listed("failed") == ["2"]
    assert await listed("queued", "failed", chats=(FRIEND,)) == ["6", "4", "2"]
    assert await listed("queued", "failed", limit=5) == ["6", "5", "4", "3", "2"]
    assert await listed(chats=(FRIEND, ROOM), before=6, limit=3) == ["5", "4", "3"]
    assert await listed("queued", chats=(FRIEND, ROOM), since=NOW + 1, until=NOW + 4) == ["4", "3", "1"]
    others = tuple(ContactId(f"@{number}") for number in range(60))
    assert await listed("queued", chats=(FRIEND, *others), before=6) == ["4"]
    assert await listed(since=NOW + 3, until=NOW + 4) == ["4", "3"]
    assert await listed(before=4) == ["3", "2", "1"]
    assert await listed(before=5, chats=(FRIEND,), limit=1) == ["4"]
    assert await listed(before=1) == []
    assert await listed("unknown") == []


async def test_times_of_a_send_keep_all_of_their_digits(account: AccountJournal) -> None:
    added_at, begun_at = 1_764_012_345.1234567, 1_764_012_346.7654321
    first, other = await added(account, "1", at=added_at), await added(account, "2", at=added_at)
    assert await account.outbox.sending(other.number, begun_at, FRIEND)

    found = await account.outbox.find(SendQuery())
    assert [(row.number, row.created_at, row.changed_at) for row in found] == [
        (other.number, added_at, begun_at), (first.number, added_at, added_at),
    ]  # fmt: skip
    await account.outbox.settle(other.number, "unknown", time=begun_at, begun_at=found[0].changed_at)
    assert await account.outbox.count() == {"queued": 1, "unknown": 1}


async def test_a_send_can_be_removed_except_while_it_is_in_flight(account: AccountJournal) -> None:
    row = await added(account, "1", key="daily")
    await account.outbox.sending(row.number, NOW, FRIEND)
    assert await account.outbox.remove(row.number) is False
    await account.outbox.settle(row.number, "unknown", time=NOW)
    assert await account.outbox.remove(row.number) is True
    assert await account.outbox.remove(row.number) is False
    assert (await added(account, "2", key="daily")).number == 2, "a number is never used twice"


async def test_sends_of_one_account_do_not_affect_another(journal: Journal) -> None:
    one, two = journal.account(1), journal.account(2)
    row = await added(one, "1", key="daily")
    assert await find_send(two.outbox, key="daily") is None
    assert await two.outbox.sending(row.number, NOW, FRIEND) is False
    assert (await added(two, "1", key="daily")).state == "queued", "each account has its own keys and client ids"
    assert [each.client_id for each in await one.outbox.find(SendQuery())] == ["1"]


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "你好😀", "x" * 100_000])
async def test_any_text_can_be_stored(account: AccountJournal, text: str) -> None:
    row = await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text=text, key=text, time=NOW)

    assert row.text == text.replace("\ud800", "\ufffd")
    assert await find_send(account.outbox, key=text) == row


async def test_sends_are_counted_by_state(account: AccountJournal) -> None:
    assert await account.outbox.count() == {}
    rows = [await added(account, str(number)) for number in range(4)]
    await account.outbox.sending(rows[0].number, NOW, FRIEND)
    for row, state in ((rows[1], "sent"), (rows[2], "sent")):
        await account.outbox.settle(row.number, state, time=NOW, receipt=receipt(row.client_id, row.client_id))  # type: ignore[arg-type]  # one of them
    assert await account.outbox.count() == {"sending": 1, "sent": 2, "queued": 1}


async def test_sends_of_a_dead_process_are_counted_as_unknown(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    await added(await opened(journal), "1", state="sending")
    await quick_engine.kill(journal)

    journal = quick_engine.open()
    assert await journal.account(UIN).outbox.count() == {"unknown": 1}
    await journal.close()


async def test_the_outcome_of_an_unknown_send_is_seen_at_once(account: AccountJournal) -> None:
    row = await added(account, "1", state="sending")
    await account.outbox.settle(row.number, "unknown", time=NOW + 1, begun_at=NOW)
    await account.outbox.settle(row.number, "sent", time=NOW + 2, receipt=receipt("1"), begun_at=NOW + 1)
    found = await find_send(account.outbox, number=row.number)
    assert found is not None
    assert found.state == "sent"
