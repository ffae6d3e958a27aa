"""Evidence of contacts: a number stays with its person or chatroom, whatever name a login shows."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from tests.storage.phone import FILEHELPER, NOW, Phone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from webwx.model.contacts import Contact


class Listed:
    """Contacts that count how often they are read."""

    def __init__(self, *contacts: Contact) -> None:
        self.reads = 0
        self._contacts = contacts

    def __iter__(self) -> Iterator[Contact]:
        self.reads += 1
        return iter(self._contacts)


class TestIdentify:
    async def test_the_contacts_of_a_new_login_are_read_once_and_again_for_chatrooms(self, phone: Phone) -> None:
        for contacts, reads in (([phone.shown("ann")], 1), ([phone.shown("bob"), phone.room("room", "bob")], 2)):
            await phone.log_in()
            listed = Listed(*contacts)
            await phone.account.identities.identify(phone.own_id, listed, complete=True, time=NOW)
            assert listed.reads == reads

    async def test_the_same_contacts_in_another_order_cause_no_write(self, relogin: Phone, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await relogin.identify(FILEHELPER, *map(relogin.shown, ("cid", "ann"))) == {}
