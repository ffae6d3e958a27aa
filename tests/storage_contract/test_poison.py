"""Poison messages: every message is stored, and none causes the loss of another one."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    arrival,
    message,
)

from webwx.model.contacts import ContactId
from webwx.model.events import event_from_item
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_message

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry


POISON = {
    "lone surrogate": rb'"\ud83d"',
    "nul": rb'"a\u0000b"',
    "raw nul": b'"a\x00b"',
    "huge number": b"9223372036854775808",
    "number of 5000 digits": b"9" * 5_000,
    "deep nesting": b"[" * 100_000,
    "balanced nesting": b"[" * 50_000 + b"]" * 50_000,
    "nan": b"NaN",
    "infinity": b"1e999",
    "broken utf-8": b'"\xff\xfe"',
    "null": b"null",
    "unclosed": b'"',
}


FIELDS = ("MsgId", "FromUserName", "ToUserName", "MsgType", "Content", "CreateTime", "Nonsense")


async def test_a_message_with_any_field_is_stored_and_the_next_one_arrives(account: AccountJournal) -> None:
    consumer = await account.consumer("bot")
    for name, field in product(POISON, FIELDS):
        poison = POISON[name]
        plain = message(1, f"poison in {field}")
        good = b'"' + field.encode() + b'":'
        bad = (
            b"{" + good + poison + b"," + plain[1:]
        )  # A second field of the same name, which counts if it is the last.
        late = plain[:-1] + b"," + good + poison + b"}"
        assert await account.ingest(arrival(bad, late, message(f"next after {name} in {field}"))) >= 1
    taken: list[Entry] = []
    while more := await consumer.take():
        taken += more

    assert [entry.message_id for entry in taken if entry.message_id.startswith("next")] == [
        f"next after {name} in {field}" for name, field in product(POISON, FIELDS)
    ]
    for entry in taken:
        event_from_item(entry.item, entry.own_id)
    async with asyncio.timeout(30):
        while (await account.stats()).indexed < taken[-1].number:  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0.05)
    assert await account.find(EntryQuery(words="poison nothing")) == []


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "", "'; DROP TABLE entries; --", "😀" * 200])
async def test_any_text_in_a_query_is_only_a_value(account: AccountJournal, text: str) -> None:
    await account.ingest(arrival(message(1)))
    assert await find_message(account, text) is None
    assert await account.find(EntryQuery(words=text)) == []
    assert await account.find(EntryQuery(chats=(ContactId(text),))) == []
    assert await account.chats_named(text) == []
