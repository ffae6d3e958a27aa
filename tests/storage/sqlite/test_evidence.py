"""Evidence of contacts: a number stays with its person or chatroom, whatever name a login shows."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from tests.storage.phone import FILEHELPER, Phone

if TYPE_CHECKING:
    from pathlib import Path


class TestIdentify:
    async def test_the_same_contacts_in_another_order_cause_no_write(self, relogin: Phone, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await relogin.tell(FILEHELPER, *map(relogin.shown, ("cid", "ann"))) == {}
