"""The check of a database for `webwx doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.saved import LOGIN
from tests.storage.arrivals import OWN, UIN, arrival, messages

from webwx.storage.account_folder import LoginName
from webwx.storage.postgres import schema as tables
from webwx.storage.postgres.checkup import check_up
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.saved_login import SavedLogin

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

WORK = LoginName("work", "wx.qq.com")


async def test_a_checkup_describes_the_database_and_changes_nothing(schema: TemporarySchema) -> None:
    empty = await check_up(schema.url)
    assert (empty.problem, empty.schema, empty.is_supported, empty.has_btree_gin) == ("", 0, True, True)
    assert (await check_up(schema.url)).schema == 0
    number = int(schema.execute("SHOW server_version_num"))
    assert empty.server == f"{number // 10_000}.{number % 10_000}"

    storage = PostgresStorage(schema.url, passphrase="three words long")
    await storage.login(WORK).save(SavedLogin(login=LOGIN))
    await storage.journal(WORK).account(UIN).open_login(OWN, b"1", 1_000.0, [])
    await storage.close()
    used = await check_up(schema.url)
    assert (used.schema, used.is_newer, used.logins, used.accounts) == (tables.VERSION, False, 1, 1)

    schema.execute("UPDATE webwx_schema SET version = 999")
    assert (await check_up(schema.url)).is_newer


async def test_a_checkup_counts_messages_whose_stored_bytes_are_damaged(schema: TemporarySchema) -> None:
    storage = PostgresStorage(schema.url, passphrase="three words long")
    account = storage.journal(WORK).account(UIN)
    await account.open_login(OWN, b"1", 1_000.0, [])
    await account.ingest(arrival(*messages(1, 3)))
    await storage.close()
    assert (await check_up(schema.url)).unreadable == 0
    schema.execute("UPDATE batches SET body = substr(body, 1, 10)")
    found = await check_up(schema.url)
    assert (found.unreadable, found.is_checked) == (3, True)


async def test_a_checkup_names_the_reason_of_a_failure_without_the_url(schema: TemporarySchema) -> None:
    schema.end_sessions()
    refused = await check_up(schema.url)
    assert refused.problem == "InvalidAuthorizationSpecificationError, 28000"
    assert (await check_up("postgresql://absent@/absent?host=/absent")).problem == "FileNotFoundError"
