"""
Promises of background sends as records, which earlier versions stored.

A record names a send in the outbox and its file. The owner of the account converts the records when it begins to run
the account: the send becomes a background send of the outbox, and the record is deleted. A kill in between repeats it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from webwx.storage.tables.outbox import Outbox
    from webwx.storage.tables.records import RecordStore

KINDS = ("promise", "promise.file")
"""Kinds of the records, of texts and of files."""


class Promise(msgspec.Struct, frozen=True, omit_defaults=True):
    """A promised send, as the body of its record."""

    number: int
    """Number of the send in the outbox."""
    file: str = ""
    """Name of its file in `AccountSendFiles`; empty for a text."""


async def convert_promises(records: RecordStore, account: int, outbox: Outbox) -> None:
    """
    Make the promised sends of an account background sends.

    Args:
        records: The records.
        account: Number of the account in the gateway.
        outbox: The outbox of the account.

    Raises:
        StorageError: Not all are converted.
    """
    for kind in KINDS:
        for record in await records.find(kind, prefix=f"{account}/"):
            promise = msgspec.json.decode(record.body, type=Promise)
            await outbox.move_to_background(promise.number, file=promise.file)
            await records.delete(kind, record.id)
