"""Sends of the API become receipts and rows of the outbox again."""

from __future__ import annotations

import msgspec
import pytest

from webwx.errors import ProtocolError
from webwx.gateway.views import view_of_outgoing
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.representations.sends import OutboxEntry, SendView, outgoing_of, receipt_of
from webwx.storage.tables.outbox import Outgoing

RECEIPT = Receipt(message_id="9", client_id="17", chat=ContactId("@a"), time=1_700_000_000.125)

ROW = Outgoing(
    number=3, client_id="17", chat=ContactId("@a"), kind="text", text="hello", state="sent", receipt=RECEIPT,
    created_at=1_700_000_000.0, changed_at=1_700_000_001.5,
)  # fmt: skip


@pytest.mark.parametrize("row", [ROW, msgspec.structs.replace(ROW, state="failed", receipt=None, ret=1205)])
def test_a_row_of_the_outbox_comes_back_without_its_key(row: Outgoing) -> None:
    shown = msgspec.json.encode(view_of_outgoing(msgspec.structs.replace(row, key="mine")))
    assert outgoing_of(msgspec.json.decode(shown, type=OutboxEntry)) == row


def test_a_send_without_an_id_of_the_platform_has_no_receipt() -> None:
    with pytest.raises(ProtocolError, match="queued"):
        receipt_of(SendView(id="17", state="queued"))
