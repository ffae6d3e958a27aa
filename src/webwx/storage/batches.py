"""Detection of the new items of a batch, shared by all storage engines."""

from __future__ import annotations

import contextlib
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from webwx.model.events import Arrived, ContinuityLost, item_of, read_own_event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from webwx.model.contacts import ContactId
    from webwx.storage.entries import Arrival


def gap_between(opened_at: float, last_at: float, until: float) -> Arrived:
    """
    Return the gap between two logins: messages that arrived between them may be missing.

    Args:
        opened_at: Begin of the earlier login.
        last_at: Time of its last batch. If it is later than `until`, the server's clock was wrong, and the gap begins
            with that login.
        until: Begin of the later login.
    """
    since = last_at if last_at <= until else min(opened_at, until)
    gap = ContinuityLost(since=since, until=until, reason="new_login")
    item = item_of(gap)
    return Arrived(item=item, raw=item.raw)


def missed_entries(
    entries: Iterable[tuple[int, int]], positions: Iterable[tuple[int, Collection[int]]]
) -> dict[int, list[int]]:
    """
    Return which deleted entries consumers miss: their times, by the number of the last one, whose place a gap takes.

    Args:
        entries: Number and time of each deleted entry.
        positions: For each consumer the number up to which it has read, and later numbers that it has acknowledged.
    """
    rows, missed = tuple(entries), dict[int, list[int]]()
    for reached, ahead in positions:
        unseen = {number: time for number, time in rows if number > reached and number not in ahead}
        if unseen:
            missed.setdefault(max(unseen), list(unseen.values()))
    return missed


def gap_after_purge(times: Collection[int], before: bytes | None) -> bytes:
    """
    Return the gap in place of deleted entries, as it is stored.

    Args:
        times: Times of the entries.
        before: The stored gap just before it, which becomes a part of it; None without one.
    """
    since = float(min(times))
    if before is not None:
        with contextlib.suppress(msgspec.MsgspecError):  # its bytes are damaged
            earlier = read_own_event(before)
            since = min(since, earlier.since) if isinstance(earlier, ContinuityLost) else since
    return bytes(item_of(ContinuityLost(since=since, until=float(max(times)), reason="purged")).raw)


def digest_of_body(arrival: Arrival) -> bytes | None:
    """
    Return the digest by which a repeated batch is recognised; None if all of its items have ids.

    Items without an id, such as changes of contacts, are skipped when their batch has the same digest as the last one.
    """
    if not arrival.body or all(each.message_id for each in arrival.items):
        return None
    return blake2b(arrival.body, digest_size=16).digest()


def read_positions(arrival: Arrival, new: Iterable[tuple[Arrived, int]], first: int) -> dict[ContactId, int]:
    """
    Return the number of the last new item of a batch that marks a chat as read, by the chat.

    Args:
        arrival: The batch.
        new: Its new items, as `new_items` returns them.
        first: Number of the first one; they are consecutive.
    """
    if not arrival.reads:
        return {}
    numbers = {id(each): number for number, (each, _) in enumerate(new, first)}
    read = ((chat, numbers.get(id(arrival.items[place]))) for place, chat in arrival.reads)
    return {chat: number for chat, number in read if number is not None}


def new_items(
    items: Iterable[Arrived], known: dict[str, tuple[int, ...]], *, is_repeated: bool
) -> tuple[list[tuple[Arrived, int]], int]:
    """
    Return the items that are not stored yet, each with its digest, and the number of conflicts.

    A conflict is a message that arrives with the id of another message.

    Args:
        items: The items in the order of arrival.
        known: Digests of stored messages by their ids; those of new messages are added.
        is_repeated: Whether the batch repeats the last one.
    """
    new: list[tuple[Arrived, int]] = []
    conflicts = 0
    for each in items:
        digest, digests = each.digest, known.get(each.message_id, ())
        if digest in digests or (not each.message_id and is_repeated):
            continue
        if each.message_id:
            conflicts += bool(digests)
            known[each.message_id] = (*digests, digest)
        new.append((each, digest))
    return new, conflicts
