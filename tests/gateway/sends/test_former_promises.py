"""Promises of earlier versions: they become background sends of the outbox, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.storage.arrivals import FRIEND, opened

from webwx.gateway.sends.former_promises import KINDS, convert_promises
from webwx.storage.open import open_journal, open_records
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from webwx.storage.tables.outbox import Outbox, Outgoing


async def added(outbox: Outbox, client_id: str) -> Outgoing:
    return await outbox.add(client_id=client_id, chat=FRIEND, kind="text", text="hi", key=client_id, time=0)


async def test_the_promises_of_an_account_become_background_sends_and_their_records_are_deleted() -> None:
    records = open_records("memory:")
    journal = open_journal("memory:")
    outbox = (await opened(journal)).outbox
    text, file, sent, of_caller = [await added(outbox, name) for name in ("text", "file", "sent", "of a caller")]
    await outbox.settle(sent.number, "sent", time=0)
    for kind, account, body in (
        ("promise", 1, b'{"number":%d}' % text.number),
        ("promise", 1, b'{"number":%d}' % sent.number),
        ("promise", 11, b'{"number":%d}' % of_caller.number),
        ("promise.file", 1, b'{"number":%d,"file":"name"}' % file.number),
    ):
        await records.put(kind, f"{account}/{body.decode()}", body, version=0, time=0)
    for _ in range(2):
        await convert_promises(records, 1, outbox)
        rows = await outbox.find(SendQuery(background=True, after=0))
        assert [(row.client_id, row.file) for row in rows] == [("text", ""), ("file", "name")]
    assert [each.id[:3] for kind in KINDS for each in await records.find(kind)] == ["11/"]
    await records.close()
    await journal.close()
