"""
Sends of handlers whose outcome is unknown.

A repeated attempt knows no more than the first one: the person may have read the message. So such a send counts as made
in this and in every later attempt, and the handler continues. No message is sent twice; one may be missing.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Literal

from webwx.bot.log_fields import log_fields
from webwx.client.retry import Backoff
from webwx.errors import SendOutcomeUnknown, TransportError
from webwx.model.messages import Receipt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.chat_queues import DeliveryCounts
    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event
    from webwx.storage.tables.outbox import Outgoing

OnUnknown = Literal["continue", "raise"]
"""
What a send of a handler does if its outcome is unknown: `continue` returns a receipt with `is_unknown`, and `raise`
raises `SendOutcomeUnknown` in every attempt.
"""

_REMEMBERED = 1_000
"""Number of sends that are remembered, so that a later attempt does not log and count them again."""

_log = logging.getLogger("webwx.bot")


def check_on_unknown(choice: str) -> None:
    """
    Check a value of `on_unknown=`.

    Raises:
        ValueError: There is no such value.
    """
    if choice not in ("continue", "raise"):
        raise ValueError(f"on_unknown= cannot be {choice!r}; give 'continue' or 'raise'.")


class UnknownSends:
    """
    Counts a bot's sends with an unknown outcome as made.

    Args:
        bot: Name of the bot.
        counts: Counts the sends.
    """

    def __init__(self, bot: str, counts: DeliveryCounts) -> None:
        self._bot = bot
        self._counts = counts
        self._reported: deque[str] = deque(maxlen=_REMEMBERED)
        """Keys of the sends that were logged and counted."""

    def __repr__(self) -> str:
        return f"UnknownSends({self._counts.unknown_sends})"

    async def receipt_of(
        self, client: AsyncClient, key: str, event: Event, send: Callable[[], Awaitable[Receipt]]
    ) -> Receipt:
        """
        Make a send, and return its receipt; one with `is_unknown` if the outbox has it as `unknown`.

        A send that a live task or process still makes is waited for. A send through a gateway whose connection is lost
        is repeated under its key.

        Args:
            client: The client that sends.
            key: Key of the send.
            event: Event of the handler.
            send: Makes the send under its key; a repetition finds the same row of the outbox.
        """
        backoff = Backoff(0.1, longest=5.0)
        while True:
            try:
                return await send()
            except SendOutcomeUnknown:
                row = await _row_of(client, key)
            if row is not None and row.receipt is not None:
                return row.receipt
            if row is not None and row.state == "unknown":
                self._report(row, key, event)
                return Receipt(message_id="", client_id=row.client_id, chat=row.chat, time=row.created_at)
            await backoff.pause()

    def _report(self, row: Outgoing, key: str, event: Event) -> None:
        if key in self._reported:
            return
        self._reported.append(key)
        self._counts.unknown_sends += 1
        _log.warning(
            "%s: the outcome of send %d of the outbox is unknown, so it counts as made; "
            "'webwx outbox --state unknown' shows it.",
            self._bot, row.number, extra=log_fields(self._bot, event=event.number, chat=row.chat),
        )  # fmt: skip


async def _row_of(client: AsyncClient, key: str) -> Outgoing | None:
    """Return the send with a key; None if the outbox has no such send, or the gateway does not answer now."""
    try:
        return await client.find_send(key=key)
    except TransportError:
        return None
