"""Queries for messages, recalls and sends in the journal of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

from webwx.client.reading.dead_letters import DeadLetter
from webwx.client.reading.message_page import MessagePage, PagedMessage
from webwx.client.reading.recalled import Recalled
from webwx.client.remote.calls import is_found, key_of, none_if_absent
from webwx.client.remote.contacts import find_by_ids, recipient_of
from webwx.client.remote.missing import not_offered
from webwx.client.remote.pages import PAGE, read_pages
from webwx.errors import InvalidRequest
from webwx.model.address_book import Contacts
from webwx.model.messages import MessageRecalled
from webwx.representations.consumers import LIST_DEAD_LETTERS, REVIVE_DEAD_LETTER, DeadLettersQuery
from webwx.representations.contacts import COUNT_UNREAD, FIND_PEOPLE
from webwx.representations.events import READ_EVENTS, EventsQuery, event_of
from webwx.representations.messages import (
    FIND_MESSAGE,
    LIST_RECALLED,
    READ_MESSAGES,
    SHOW_MESSAGE,
    SHOW_ORIGIN,
    MessagesQuery,
    RecalledQuery,
)
from webwx.representations.sends import (
    FIND_SEND,
    FORGET_SEND,
    LIST_SENDS,
    OneSend,
    OutboxEntry,
    SendsQuery,
    outgoing_of,
)
from webwx.storage.cursors import encode_cursor
from webwx.storage.tables.outbox import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from webwx.client.people.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.messages import Event, Message
    from webwx.representations.messages import HistoryEntry
    from webwx.storage.tables.outbox import State

_ALL = 2**62
"""A limit that no result reaches."""

SendPage = tuple[list[Outgoing], int | None]
"""Sends, and the position of the next page."""


class RemoteHistory:
    """
    Reads the journal of an account of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def history(
        self, chat: To | None, *, limit: int, before: int | None, since: float, until: float
    ) -> list[Event | Outgoing]:
        """Return messages, recalls and sends, the oldest first."""
        return (await self._messages(chat, "", limit, before, since, until))[::-1]

    async def search(self, words: str, *, chat: To | None, limit: int, before: int | None) -> list[Event | Outgoing]:
        return await self._messages(chat, words, limit, before, 0, 0)

    async def _messages(
        self, chat: To | None, words: str, limit: int, before: int | None, since: float, until: float
    ) -> list[Event | Outgoing]:
        """Return messages and sends, the newest first, in as many pages as necessary."""

        async def read(before: str | None, limit: int) -> tuple[list[Event | Outgoing], str | None]:
            page = await self.history_page(
                chat, words=words, limit=limit, before=before or "", since=since, until=until
            )
            return [each.entry for each in page.entries], page.before

        return await read_pages(read, begin=None if before is None else str(before), limit=limit)

    async def history_page(
        self, chat: To | None, *, words: str, limit: int, before: str, since: float, until: float
    ) -> MessagePage:
        """Return a page of messages and sends, the newest first; the gateway returns at most 1,000 entries."""
        query = MessagesQuery(
            chat=_chat_of(chat), q=words or None, before=before or None, limit=min(limit, PAGE), since=since,
            until=until,
        )  # fmt: skip
        page = await self._calls.call(READ_MESSAGES, query=query)
        return MessagePage([PagedMessage(_value_of(entry), entry.before) for entry in page.entries], page.before)

    async def count_unread(self, chat: To) -> int | None:
        """Return the number of unread messages in a chat."""
        return (await self._calls.call(COUNT_UNREAD, recipient_of(chat))).unread

    async def find_message(self, which: str | int) -> Event | None:
        """Find a received event by its number or the platform's id."""
        route = SHOW_MESSAGE if isinstance(which, int) else FIND_MESSAGE
        view = await none_if_absent(self._calls.call(route, which))
        return None if view is None else event_of(view)

    async def read_events(self, after: int, *, since: float, until: float, limit: int) -> list[Event]:
        """Return the events after a number, in the order of arrival."""
        account = await self._calls.number()

        async def read(cursor: str | None, limit: int) -> tuple[list[Event], str | None]:
            query = EventsQuery(after=cursor or None, accounts=str(account), since=since, until=until, limit=limit)
            page = await self._calls.call(READ_EVENTS, query=query)
            return [event_of(view) for view in page.events], page.next if len(page.events) == limit else None

        return await read_pages(read, begin=encode_cursor({account: after}), limit=limit)

    async def list_sends(
        self, *states: State, chat: To | None, limit: int, before: int | None
    ) -> list[Outgoing]:  # fmt: skip
        """Return the sends of the outbox, the newest first."""
        found: list[Outgoing] = []
        for state in states or (None,):

            async def read(before: int | None, limit: int, state: State | None = state) -> SendPage:
                query = SendsQuery(send_state=state, chat=_chat_of(chat), before=before, limit=limit)
                listed = await self._calls.call(LIST_SENDS, query=query)
                return [outgoing_of(entry) for entry in listed.sends], listed.before

            found += await read_pages(read, begin=before, limit=limit)
        return sorted(found, key=lambda row: row.number, reverse=True)[:limit]

    async def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """Find a send of the outbox by its key, number or id."""
        query = OneSend(send_id=client_id, send_number=number, key=key_of(key) if key else "", message_id=message_id)
        entry = await none_if_absent(self._calls.call(FIND_SEND, query=query))
        return None if entry is None else outgoing_of(entry)

    async def was_sent_here(self, message: Message | MessageRecalled) -> bool:
        """Return whether a message of this account was sent by the gateway."""
        if not message.is_self:
            return False
        return (await self._calls.call(SHOW_ORIGIN, await self.number_of(message))).sent_here

    async def number_of(self, message: object) -> int:
        """
        Return the number of an event in the gateway's journal, which may be given by the platform's id.

        Raises:
            InvalidRequest: The journal has no such message.
        """
        if number := getattr(message, "number", 0):
            return int(number)
        message_id = message if isinstance(message, str) else getattr(message, "message_id", "")
        event = await self.find_message(message_id) if message_id else None
        if event is None:
            raise InvalidRequest("The gateway's journal does not have this message, or not yet.")
        return event.number

    async def find_people(self, ids: Iterable[str]) -> Contacts:
        return Contacts((await find_by_ids(self._calls, FIND_PEOPLE, ids)).found)

    async def export_history(self) -> AsyncGenerator[Event | Outgoing, None]:
        sends = await self.list_sends(chat=None, limit=_ALL, before=None)
        unseen = {send.receipt.message_id for send in sends if send.receipt is not None}
        number = 0
        while events := await self.read_events(number, since=0, until=0, limit=PAGE):
            for event in events:
                unseen.discard(getattr(event, "message_id", ""))
                yield event
            number = events[-1].number
        for send in reversed(sends):
            if send.receipt is None or send.receipt.message_id in unseen:
                yield send

    async def forget_send(self, number: int) -> bool:
        """Delete a send from the outbox; return False if there is no such send, or it is in progress."""
        row = await self.find_send(number=number)
        if row is None:
            return False
        return await is_found(self._calls.call(FORGET_SEND, row.client_id))

    async def purge_history(self, chat: To | None, *, before: float) -> NoReturn:  # noqa: ARG002 - it is refused
        """Refuse."""
        raise not_offered("purge_history")

    async def purge_kept(self, *, before: float) -> NoReturn:  # noqa: ARG002 - it is refused
        """Refuse."""
        raise not_offered("purge_kept")


class RemoteRecalled:
    """
    Recalls in a gateway's journal.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def list_recalled(
        self, chat: To | None = None, *, limit: int = 50, before: int | None = None
    ) -> list[Recalled]:
        """Return the recalls, the newest first, in as many pages as necessary."""

        async def read(before: int | None, limit: int) -> tuple[list[Recalled], int | None]:
            query = RecalledQuery(chat=_chat_of(chat), before=before, limit=limit)
            page = await self._calls.call(LIST_RECALLED, query=query)
            found = [
                Recalled(notice=notice, way=entry.way)
                for entry in page.recalled
                if isinstance(notice := event_of(entry.event), MessageRecalled)
            ]
            return found, page.before

        return await read_pages(read, begin=before, limit=limit)


class RemoteDeadLetters:
    """
    Dead letters of a consumer of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def list_dead_letters(self, *, consumer: str, limit: int, before: int | None) -> list[DeadLetter]:
        """Return the dead letters of a consumer, the newest first, in as many pages as necessary."""

        async def read(before: int | None, limit: int) -> tuple[list[DeadLetter], int | None]:
            query = DeadLettersQuery(before=before, limit=limit)
            page = await self._calls.call(LIST_DEAD_LETTERS, consumer, query=query)
            found = [
                DeadLetter(
                    consumer=consumer, attempts=each.attempts, error=each.error, time=each.time.timestamp(),
                    event=event_of(each.event),
                )
                for each in page.dead_letters
            ]  # fmt: skip
            return found, page.before

        return await read_pages(read, begin=before, limit=limit)

    async def revive(self, number: int, *, consumer: str) -> bool:
        """Deliver a dead letter once more."""
        return await is_found(self._calls.call(REVIVE_DEAD_LETTER, consumer, number))


def _chat_of(chat: To | None) -> str | None:
    return None if chat is None else str(recipient_of(chat))


def _value_of(entry: HistoryEntry) -> Event | Outgoing:
    return event_of(entry.event) if entry.event is not None else outgoing_of(cast("OutboxEntry", entry.send))
