"""Batches as a client takes them over, and an account's part of a journal to put them in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.events import Arrived, Item, identify
from webwx.store.journal import Arrival

if TYPE_CHECKING:
    from webwx.store.journal import Entry
    from webwx.store.sqlite import SqliteAccount, SqliteJournal

OWN = ContactId("@me")
FRIEND = ContactId("@friend")
ROOM = ContactId("@@room")
UIN = 2_400_001


def message(message_id: object, content: object = "hello", chat: str = FRIEND, at: int = 1_700_000_000) -> bytes:
    """Write a text as the platform delivers it."""
    fields = {
        "MsgId": message_id, "FromUserName": chat, "ToUserName": OWN, "MsgType": 1, "Content": content, "CreateTime": at
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def messages(first: int, count: int, chat: str = FRIEND) -> list[bytes]:
    """Write texts with ids in a row, each with a content of its own."""
    return [message(str(number), f"text {number}", chat) for number in range(first, first + count)]


def arrived(raw: bytes) -> Arrived:
    """Look at a message as far as a client does before it is stored."""
    item = Item(kind="message", raw=msgspec.Raw(raw))
    told = identify(item, OWN)
    return Arrived(
        item=item, raw=item.raw, message_id=told.message_id, digest=told.digest, chat=told.chat, time=told.time,
        is_quarantined=told.is_quarantined,
    )  # fmt: skip


def contact_change(name: str) -> Arrived:
    """Give a change of a contact."""
    raw = msgspec.Raw(json.dumps({"UserName": FRIEND, "NickName": name}).encode())
    return Arrived(item=Item(kind="contact", raw=raw), raw=raw)


def arrival(*items: bytes | Arrived, position: bytes = b"here", at: float | None = None) -> Arrival:
    """Put a batch together."""
    all_items = tuple(arrived(each) if isinstance(each, bytes) else each for each in items)
    body = b'{"AddMsgList":[' + b",".join(bytes(each.item.raw) for each in all_items) + b"]}"
    return Arrival(body=body, items=all_items, position=position, time=time.time() if at is None else at)


async def opened(journal: SqliteJournal, uin: int = UIN) -> SqliteAccount:
    """Give an account's part, with a login in it."""
    account = journal.account(uin)
    await account.open_login(OWN, b"begin", time.time(), [])
    return account


async def everything(account: SqliteAccount) -> list[Entry]:
    """Give all there is."""
    return [entry async for entry in account.export()]


def ids(entries: list[Entry]) -> list[str]:
    """Give the ids of messages."""
    return [entry.message_id for entry in entries]
