"""The deletion of old entries in sets of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, ROOM, arrival, everything, message, opened

from webwx.storage.postgres.journal import PostgresJournal

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

NOTE_STATEMENTS = """
CREATE TABLE statements (kind text);
GRANT ALL ON statements TO PUBLIC;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO statements VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER note AFTER DELETE OR UPDATE ON batches FOR EACH STATEMENT EXECUTE FUNCTION note()
"""


@pytest.mark.parametrize("batches", [1, 40])
async def test_a_deletion_changes_all_its_batches_by_two_statements(schema: TemporarySchema, batches: int) -> None:
    async with PostgresJournal(schema.url, retention_days=0) as journal:
        account = await opened(journal)
        for number in range(batches):
            both = (message(f"1{number}", "secret", at=1_000), message(f"2{number}", "other", ROOM, at=1_000))
            await account.ingest(arrival(*both))
            await account.ingest(arrival(message(f"3{number}", at=1_000)))
        schema.execute(NOTE_STATEMENTS)
        assert await account.purge(before=2_000, chats=[FRIEND]) == 2 * batches
        assert {entry.chat for entry in await everything(account)} == {ROOM}
        assert (await account.stats()).batches == batches
    assert schema.execute("SELECT string_agg(kind, ' ') FROM statements").strip() == "DELETE UPDATE"
