"""Contacts by pages, chatrooms by batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import ProtocolError
from webwx.flows.call import Flow, call
from webwx.model.contacts import Contact, contact_from_wire
from webwx.protocol.codec import read_json
from webwx.protocol.codes import BATCH_LIMIT
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    BatchContactsRequest,
    ContactKey,
    ContactsRequest,
    WireContact,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from webwx.model.login import Login

MAX_PAGES = 200
"""Pages of the contact list: a server whose `Seq` never ends must not keep us for ever."""


def list_contacts(login: Login, now: float) -> Flow[list[Contact]]:
    """
    Fetch all friends, official accounts and saved chatrooms, these without members.

    Wire: webwxgetcontact

    """
    contacts: list[Contact] = []
    seq = 0
    for _ in range(MAX_PAGES):
        request = ContactsRequest(
            skey=login.credentials.skey, pass_ticket=login.pass_ticket, r=int(now * 1000), seq=seq
        )
        reply = yield from call(GETCONTACT, request, login.hosts)
        contacts += read_contacts(reply.member_list, login.user_id)
        if reply.seq in {0, seq}:
            break
        seq = reply.seq
    return contacts


def get_contacts(login: Login, ids: Sequence[str], now: float) -> Flow[list[Contact]]:
    """
    Fetch details, of chatrooms with their members; those the server does not know are missing.

    Wire: webwxbatchgetcontact

    """
    contacts: list[Contact] = []
    for start in range(0, len(ids), BATCH_LIMIT):
        keys = tuple(ContactKey(user_name=each) for each in ids[start : start + BATCH_LIMIT])
        request = BatchContactsRequest(
            r=int(now * 1000), pass_ticket=login.pass_ticket, credentials=login.credentials,
            count=len(keys), list=keys,
        )  # fmt: skip
        reply = yield from call(BATCHGETCONTACT, request, login.hosts)
        contacts += read_contacts(reply.contact_list, login.user_id)
    return contacts


def read_contacts(items: Sequence[msgspec.Raw], own_id: str) -> list[Contact]:
    """Read contacts one by one: a broken one is left out and costs no other."""
    contacts = []
    for item in items:
        try:
            contacts.append(contact_from_wire(read_json(bytes(item), WireContact), own_id))
        except ProtocolError:
            continue
    return contacts
