"""Conversion of values to the form of the API: RFC 3339 times, event types with dots, no keys of the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from webwx.representations.events import EventView, fields_of, summary_of
from webwx.representations.sends import OutboxEntry, SendChangeView, SendView
from webwx.representations.times import moment, optional_moment
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from webwx.gateway.accounts.account import SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.accounts.account_sends import Sent
    from webwx.gateway.accounts.event_broadcast import SharedEvent
    from webwx.model.messages import Receipt
    from webwx.representations.sends import SendKind


def view_of_event(account_event: AccountEvent) -> EventView:
    """Return an event as the API shows it."""
    event = account_event.event
    return EventView(
        id=f"{account_event.account}-{event.number}", number=event.number, account=account_event.account,
        type=event.type, time=optional_moment(getattr(event, "time", None)),
        chat=getattr(event, "chat", None) or None, chat_name=account_event.chat_name,
        sender=getattr(event, "sender", None), sender_name=account_event.sender_name,
        is_self=bool(getattr(event, "is_self", False)), redelivered=event.redelivered, summary=summary_of(event),
        data=fields_of(event),
    )  # fmt: skip


def json_of(shared: SharedEvent) -> bytes:
    """Return an event as the API shows it, encoded once for all readers."""
    if shared.json is None:
        shared.json = msgspec.json.encode(view_of_event(shared.account_event))
    return shared.json


def view_of_sent(sent: Sent) -> SendView:
    """Return the present state of a send as the API shows it."""
    return SendView(id=sent.client_id, state=sent.state, **_of_receipt(sent.receipt))


def view_of_outgoing(row: Outgoing) -> OutboxEntry:
    """Return a send of the outbox."""
    return OutboxEntry(
        id=row.client_id, state=row.state, number=row.number, kind=cast("SendKind", row.kind), text=row.text,
        created_at=moment(row.created_at), changed_at=moment(row.changed_at), ret=row.ret,
        **{"chat": row.chat, **_of_receipt(row.receipt)},
    )  # fmt: skip


def view_of_change(change: SendChange, *, with_text: bool) -> SendChangeView:
    """Return the change of a send, with its text if the reader may read it."""
    send = view_of_outgoing(change.send)
    return SendChangeView(account=change.account, send=send if with_text else msgspec.structs.replace(send, text=""))


def _of_receipt(receipt: Receipt | None) -> dict[str, Any]:
    if receipt is None:
        return {}
    return {"message_id": receipt.message_id, "chat": receipt.chat, "time": moment(receipt.time)}
