"""An outbox that reports the numbers of the sends which this client stores or changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.model.contacts import ContactId
    from webwx.model.messages import Receipt
    from webwx.storage.tables.outbox import Outbox, Outgoing, SendQuery, State


class WatchedOutbox:
    """
    An account's sends; `Outbox` states the guarantees.

    Args:
        outbox: The outbox of the storage.
        changed: Called with the number of each send that was stored or has changed; it raises no error.
    """

    def __init__(self, outbox: Outbox, changed: Callable[[int], object]) -> None:
        self._outbox = outbox
        self._changed = changed

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
        background: bool = False,
    ) -> Outgoing:  # fmt: skip
        """Store a send, or return the existing send with the same key."""
        row = await self._outbox.add(
            client_id=client_id, chat=chat, kind=kind, text=text, key=key, time=time, state=state, addressed=addressed,
            content_id=content_id, background=background,
        )  # fmt: skip
        if row.client_id == client_id:
            self._changed(row.number)
        return row

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """Set a send to `sending`, and return whether its first byte may be transmitted."""
        is_begun = await self._outbox.sending(number, time, chat)
        if is_begun:
            self._changed(number)
        return is_begun

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """Store the outcome of a send."""
        await self._outbox.settle(number, state, time=time, receipt=receipt, ret=ret, begun_at=begun_at)
        self._changed(number)

    async def move_to_background(self, number: int, *, file: str = "") -> bool:
        """Make a send without an outcome a background send, and return whether it was none before."""
        return await self._outbox.move_to_background(number, file=file)

    async def queue_again(self, number: int, time: float) -> bool:
        """Make a refused text a background send, and return whether it was one that was refused."""
        is_queued = await self._outbox.queue_again(number, time)
        if is_queued:
            self._changed(number)
        return is_queued

    async def end_background(self) -> None:
        """Leave all background sends `queued` as they are."""
        await self._outbox.end_background()

    async def flush(self) -> None:
        """Return once every outcome that was passed to `settle` is stored."""
        await self._outbox.flush()

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """Return the sends that match a query, in the order that it wants."""
        return await self._outbox.find(query)

    async def count(self) -> dict[State, int]:
        """Return the number of sends in each state that occurs."""
        return await self._outbox.count()

    async def remove(self, number: int) -> bool:
        """Delete a send, and return whether it was deleted."""
        return await self._outbox.remove(number)
