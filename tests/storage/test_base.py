"""The interface, and that the engine is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tests.storage.arrivals import arrival, message, opened

from webwx.model.contacts import ContactId
from webwx.storage.base import Outgoing, SendQuery
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.base import AccountJournal, Consumer, Journal, Outbox


async def test_the_engine_has_all_of_the_interface(path: Path) -> None:
    engine = SqliteJournal(path)
    journal: Journal = engine
    account: AccountJournal = await opened(engine)
    outbox: Outbox = account.outbox
    consumer: Consumer = await account.consumer("bot")

    assert consumer.name == "bot"
    assert await outbox.find(SendQuery()) == []
    assert await journal.accounts() == [2_400_001]
    await journal.close()


def test_nothing_of_what_was_said_is_shown() -> None:
    batch = arrival(message(1, "secretword"))
    send = Outgoing(
        number=1, client_id="1", chat=ContactId("@friend"), kind="text", text="secretword", state="queued",
        created_at=1.0, changed_at=1.0,
    )  # fmt: skip

    assert repr(batch) == "Arrival(1 items)"
    assert repr(send) == "Outgoing(1, text, queued)"
    assert "secretword" not in repr(msgspec.structs.replace(batch, items=()))
