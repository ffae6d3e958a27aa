"""An account's sends in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.model.contacts import ContactId
from webwx.protocol.codec import clean_text
from webwx.storage.base import ChangeRefused, Outgoing

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from webwx.model.messages import Receipt
    from webwx.storage.base import SendQuery, State


class Sends:
    """All sends of an account, in the order of their numbers; changed and read under the lock of its journal."""

    def __init__(self) -> None:
        self.last = 0
        """The last number that was used."""
        self.rows: dict[int, Outgoing] = {}
        self.by_key: dict[str, int] = {}
        self.client_ids: set[str] = set()

    def remove(self, should_delete: Callable[[Outgoing], bool]) -> int:
        """Delete sends except those in state `sending`, and return how many."""
        deleted = [row for row in self.rows.values() if row.state != "sending" and should_delete(row)]
        for row in deleted:
            del self.rows[row.number]
            self.by_key.pop(row.key, None)
            self.client_ids.discard(row.client_id)
        return len(deleted)

    def expire(self, before: float) -> None:
        """Delete sends that were created before a time; cheap if there are no such sends."""
        oldest = next(iter(self.rows.values()), None)
        if oldest is not None and oldest.created_at < before:
            self.remove(lambda row: row.created_at < before)


class MemoryOutbox:
    """An account's sends; `Outbox` states the guarantees."""

    def __init__(self, sends: Callable[[], Sends], lock: threading.RLock) -> None:
        self._sends = sends
        self._lock = lock

    def __repr__(self) -> str:
        return "MemoryOutbox(***)"

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
    ) -> Outgoing:  # fmt: skip
        """Store a send, or return the existing send with the same key."""
        client_id, key, kind, text = map(clean_text, (client_id, key, kind, text))
        with self._lock:
            sends = self._sends()
            known = sends.rows[sends.by_key[key]] if key and key in sends.by_key else None
            if known is not None and (known.state, known.client_id) != ("sending", client_id):
                return known
            if client_id in sends.client_ids:
                raise ChangeRefused("The journal refused a change: another send has this client id.")
            sends.last += 1
            row = Outgoing(
                number=sends.last, client_id=client_id, key=key, chat=ContactId(clean_text(chat)), kind=kind, text=text,
                addressed=clean_text(addressed), content_id=content_id, state=state, created_at=time, changed_at=time,
            )  # fmt: skip
            sends.rows[row.number] = row
            sends.client_ids.add(client_id)
            if key:
                sends.by_key[key] = row.number
            return row

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """Set a send to `sending`, and return whether its first byte may be transmitted."""
        with self._lock:
            rows = self._sends().rows
            row = rows.get(number)
            if row is None or row.state not in {"queued", "failed"}:
                return False
            rows[number] = msgspec.structs.replace(
                row, state="sending", chat=ContactId(clean_text(chat)), changed_at=time
            )
            return True

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """Store the outcome of a send."""
        with self._lock:
            rows = self._sends().rows
            row = rows.get(number)
            if row is not None and (begun_at is None or _is_of_attempt(row, begun_at)):
                rows[number] = msgspec.structs.replace(row, state=state, receipt=receipt, ret=ret, changed_at=time)

    async def flush(self) -> None:
        """Return at once: outcomes are stored immediately."""

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """Return the sends that match a query, the newest first."""
        with self._lock:
            sends = self._sends()
            number = query.number if query.key is None else sends.by_key.get(clean_text(query.key), 0)
            rows = [row for row in (sends.rows.get(number),) if row] if number is not None else [*sends.rows.values()]
        is_wanted = _condition_of(query)
        return await asyncio.to_thread(lambda: list(itertools.islice(filter(is_wanted, reversed(rows)), query.limit)))

    async def count(self) -> dict[State, int]:
        """Return the number of sends in each state that occurs."""
        with self._lock:
            return dict(Counter(row.state for row in self._sends().rows.values()))

    async def remove(self, number: int) -> bool:
        """Delete a send, free its key, and return whether it was deleted; a send in state `sending` stays."""
        with self._lock:
            return self._sends().remove(lambda row: row.number == number) == 1


def _is_of_attempt(row: Outgoing, begun_at: float) -> bool:
    """Return whether a send waits for the outcome of the attempt that began at a time."""
    return row.state in {"sending", "unknown"} and row.changed_at == begun_at


def _condition_of(query: SendQuery) -> Callable[[Outgoing], bool]:
    """Return a function that checks whether a send matches a query."""
    key, client_id, message_id = (
        None if each is None else clean_text(each) for each in (query.key, query.client_id, query.message_id)
    )
    chats = {clean_text(each) for each in query.chats}

    def is_wanted(row: Outgoing) -> bool:
        return (
            (query.number is None or row.number == query.number)
            and (key is None or row.key == key)
            and (client_id is None or row.client_id == client_id)
            and (message_id is None or (row.receipt is not None and row.receipt.message_id == message_id))
            and (not query.states or row.state in query.states)
            and (not chats or row.chat in chats)
            and (query.before is None or row.number < query.before)
            and row.created_at >= query.since
            and (not query.until or row.created_at <= query.until)
        )

    return is_wanted
