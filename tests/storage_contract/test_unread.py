"""Unread messages: those of others after the last thing that shows that a chat was read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
from tests.storage.arrivals import FRIEND, OWN, ROOM, arrival, message, messages, opened

from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.storage.lookup import count_unread
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.entries import Arrival

pytestmark = pytest.mark.plain

NOW = 1_764_012_345.0


def own(message_id: str, chat: ContactId = FRIEND) -> bytes:
    """Return a text that this account wrote on its phone."""
    fields = {"MsgId": message_id, "FromUserName": OWN, "ToUserName": chat, "MsgType": 1, "Content": "mine"}
    return json.dumps(fields).encode()


def notice(message_id: str, content: str = "you added 李雷", kind: int = 10000) -> bytes:
    fields = {"MsgId": message_id, "FromUserName": FRIEND, "ToUserName": OWN, "MsgType": kind, "Content": content}
    return json.dumps(fields).encode()


def recall(message_id: str, recalled: str) -> bytes:
    content = (
        "&lt;sysmsg type=&quot;revokemsg&quot;&gt;&lt;revokemsg&gt;&lt;session&gt;@friend&lt;/session&gt;"
        f"&lt;msgid&gt;{recalled}&lt;/msgid&gt;&lt;newmsgid&gt;{recalled}&lt;/newmsgid&gt;"
        "&lt;replacemsg&gt;&lt;![CDATA[&quot;Ann&quot; recalled a message]]&gt;&lt;/replacemsg&gt;"
        "&lt;/revokemsg&gt;&lt;/sysmsg&gt;"
    )
    return notice(message_id, content, 10002)


def reading(batch: Arrival, *places: int, chat: ContactId = FRIEND) -> Arrival:
    """Return a batch whose items at some places show that a chat was read."""
    return msgspec.structs.replace(batch, reads=tuple((place, chat) for place in places))


async def sent(
    account: AccountJournal, client_id: str, state: Literal["queued", "sent", "failed", "unknown"] = "sent"
) -> None:
    row = await account.outbox.add(
        client_id=client_id, chat=FRIEND, kind="text", text="hello", key="", time=NOW, state="sending"
    )
    receipt = Receipt(message_id=client_id, client_id=client_id, chat=FRIEND, time=NOW) if state == "sent" else None
    await account.outbox.settle(row.number, state, time=NOW, receipt=receipt)


async def unread(account: AccountJournal, *chats: ContactId) -> int | None:
    return await count_unread(account, chats or (FRIEND,))


async def test_nothing_is_known_before_the_first_message(account: AccountJournal) -> None:
    assert await unread(account) is None
    await account.ingest(arrival(message("1", chat=ROOM)))
    assert await unread(account) == 0


async def test_messages_of_others_count_in_their_chat(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3), message("4", chat=ROOM)))
    assert await unread(account) == 3
    assert await unread(account, ROOM) == 1


async def test_a_message_counts_once_however_often_it_arrives(account: AccountJournal) -> None:
    for _ in range(2):
        await account.ingest(arrival(*messages(1, 3)))
    assert await unread(account) == 3


async def test_notices_and_unreadable_messages_do_not_count(account: AccountJournal) -> None:
    await account.ingest(arrival(message("1"), notice("2"), b'{"MsgType": {}}'))
    assert await unread(account) == 1


async def test_an_own_message_marks_what_arrived_before_it_as_read(account: AccountJournal) -> None:
    await account.ingest(reading(arrival(*messages(1, 3), own("4"), message("5")), 3))
    assert await unread(account) == 1


async def test_an_own_message_in_another_chat_marks_nothing(account: AccountJournal) -> None:
    await account.ingest(reading(arrival(*messages(1, 3), own("4", ROOM)), 3, chat=ROOM))
    assert await unread(account) == 3


async def test_an_own_message_that_arrives_again_does_not_mark_later_messages(account: AccountJournal) -> None:
    await account.ingest(reading(arrival(own("1"), message("2")), 0))
    await account.ingest(reading(arrival(own("1"), message("3")), 0))
    assert await unread(account) == 2


async def test_a_confirmed_send_marks_what_arrived_before_it_as_read(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3)))
    await sent(account, "1")
    assert await unread(account) == 0
    assert await unread(account, ROOM) == 0
    await account.ingest(arrival(message("4")))
    assert await unread(account) == 1


@pytest.mark.parametrize("state", ["queued", "failed", "unknown"])
async def test_a_send_that_is_not_confirmed_marks_nothing(
    account: AccountJournal, state: Literal["queued", "failed", "unknown"]
) -> None:
    await account.ingest(arrival(message("1")))
    await sent(account, "1", state)
    assert await unread(account) == 1


async def test_a_queued_send_marks_what_arrived_before_its_confirmation(account: AccountJournal) -> None:
    row = await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="hello", key="", time=NOW)
    await account.ingest(arrival(message("1")))
    assert await account.outbox.sending(row.number, NOW, FRIEND)
    receipt = Receipt(message_id="77", client_id="1", chat=FRIEND, time=NOW)
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt)
    assert await unread(account) == 0
    await account.ingest(arrival(message("2")))
    assert await unread(account) == 1


async def test_a_mark_reads_up_to_its_position_and_never_goes_back(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3)))
    before = await account.read_positions.last_entry()
    await account.ingest(arrival(message("4")))
    await account.read_positions.mark(FRIEND, before, NOW)
    assert await unread(account) == 1
    await account.read_positions.mark(FRIEND, await account.read_positions.last_entry(), NOW)
    await account.read_positions.mark(FRIEND, before, NOW)
    assert await unread(account) == 0


async def test_a_recalled_message_does_not_count(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3)))
    await account.ingest(arrival(recall("4", "2")))
    assert await unread(account) == 2


async def test_the_recall_of_a_message_that_was_read_does_not_lower_the_number(account: AccountJournal) -> None:
    await account.ingest(arrival(message("1")))
    await account.read_positions.mark(FRIEND, await account.read_positions.last_entry(), NOW)
    await account.ingest(arrival(message("2"), recall("3", "1"), recall("4", "unknown")))
    assert await unread(account) == 1


async def test_a_chat_counts_over_its_ids_in_all_logins(account: AccountJournal) -> None:
    later = ContactId("@friend-later")
    await account.ingest(arrival(*messages(1, 2)))
    await account.ingest(arrival(message("3", chat=later)))
    assert await unread(account, FRIEND, later) == 3
    await account.read_positions.mark(later, await account.read_positions.last_entry(), NOW)
    assert await unread(account, FRIEND, later) == 0


async def test_positions_are_stored_and_another_process_sees_them(
    engine: StorageEngine, journal: Journal, account: AccountJournal
) -> None:
    await account.ingest(arrival(*messages(1, 3)))
    await account.read_positions.mark(FRIEND, 2, NOW)
    other = engine.open()
    assert await unread(await opened(other)) == 1
    await other.close()


async def test_a_purge_of_a_chat_deletes_its_position(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3), message("4", chat=ROOM)))
    await account.read_positions.mark(FRIEND, 3, NOW)
    assert await account.purge(chats=[FRIEND]) == 3  # the position is not part of the number
    assert await account.read_positions.highest([FRIEND]) == 0


async def test_an_account_is_not_read_by_another_one(journal: Journal, account: AccountJournal) -> None:
    other = await opened(journal, 2_400_002)
    for each in (account, other):
        await each.ingest(arrival(*messages(1, 2)))
    await other.read_positions.mark(FRIEND, await other.read_positions.last_entry(), NOW)
    assert (await unread(account), await unread(other)) == (2, 0)


async def test_an_outcome_that_is_found_later_does_not_mark_what_arrived_meanwhile(account: AccountJournal) -> None:
    await sent(account, "1", "unknown")
    [row] = await account.outbox.find(SendQuery(client_id="1"))
    await account.ingest(arrival(message("1")))
    receipt = Receipt(message_id="77", client_id="1", chat=FRIEND, time=NOW)
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt, begun_at=NOW)
    assert await unread(account) == 1
