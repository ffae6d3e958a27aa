"""Batches as a client stores them, and a journal's account to store them in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.delivery import is_text
from webwx.model.events import Arrived, Item, identify
from webwx.protocol.codec import read_sound_json
from webwx.protocol.sync import WholeSyncReply
from webwx.storage.entries import Arrival
from webwx.storage.lookup import export_entries

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal
    from webwx.storage.entries import Entry

OWN = ContactId("@me")
FRIEND = ContactId("@friend")
ROOM = ContactId("@@room")
UIN = 2_400_001

_AccountT_co = TypeVar("_AccountT_co", bound="AccountJournal", covariant=True)


class _Accounts(Protocol[_AccountT_co]):
    """A journal of any engine, with the engine's own type of an account."""

    def account(self, uin: int) -> _AccountT_co:
        """Return an account's part."""
        ...


def message(message_id: object, content: object = "hello", chat: str = FRIEND, at: int = 1_700_000_000) -> bytes:
    """Return a text message as the platform delivers it."""
    fields = {
        "MsgId": message_id, "FromUserName": chat, "ToUserName": OWN, "MsgType": 1, "Content": content, "CreateTime": at
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def messages(first: int, count: int, chat: str = FRIEND) -> list[bytes]:
    """Return texts with consecutive ids and different contents."""
    return [message(str(number), f"text {number}", chat) for number in range(first, first + count)]


def arrived(raw: bytes) -> Arrived:
    """
    Identify a message as a client does before it stores it, if the body of its batch cannot be decoded as a whole.
    """
    return msgspec.structs.replace(identify(Item(kind="message", raw=msgspec.Raw(raw)), OWN), read=None)


def contact_change(name: str) -> Arrived:
    """Return a change of a contact."""
    raw = msgspec.Raw(json.dumps({"UserName": FRIEND, "NickName": name}).encode())
    return Arrived(item=Item(kind="contact", raw=raw), raw=raw)


def arrival(*items: bytes | Arrived, position: bytes = b"here", at: float | None = None, began: int = 0) -> Arrival:
    """Return a batch with items identified as a client does; texts of a valid body are decoded with it."""
    delivered = [each if isinstance(each, bytes) else bytes(each.raw) for each in items]
    body = b'{"BaseResponse":{"Ret":0},"AddMsgList":[' + b",".join(delivered) + b"]}"
    at = time.time() if at is None else at
    whole = read_sound_json(body, WholeSyncReply) if all(isinstance(each, bytes) for each in items) else None
    if whole is not None and all(map(is_text, whole.add_msg_list)):
        texts = (Item(kind="message", text=each) for each in whole.add_msg_list)
        identified = tuple(
            identify(text, OWN, began, msgspec.Raw(raw)) for text, raw in zip(texts, delivered, strict=True)
        )
    else:
        identified = tuple(arrived(each) if isinstance(each, bytes) else each for each in items)
    return Arrival(body=body, items=identified, position=position, time=at)


async def opened(journal: _Accounts[_AccountT_co], uin: int = UIN) -> _AccountT_co:
    """Return an account of a journal, with a login."""
    account = journal.account(uin)
    await account.open_login(OWN, b"begin", time.time(), [])
    return account


async def everything(account: AccountJournal) -> list[Entry]:
    """Return all entries of an account."""
    return [entry async for entry in export_entries(account)]


def ids(entries: list[Entry]) -> list[str]:
    """Return the message ids of entries."""
    return [entry.message_id for entry in entries]
