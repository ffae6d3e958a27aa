"""Queries for messages, recalls and sends in the journal of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from webwx.client.dead_letters import DeadLetter
from webwx.client.recalled import Recalled
from webwx.client.remote.contacts import recipient_of
from webwx.client.remote.missing import missing
from webwx.client.remote.pages import PAGE, read_pages
from webwx.errors import GatewayRefused, NotThroughGateway
from webwx.model.messages import MessageRecalled
from webwx.representations.consumers import DeadLetterPage
from webwx.representations.events import EventsView, EventView, event_of
from webwx.representations.messages import HistoryPage, RecalledPage
from webwx.representations.sends import OutboxEntry, SendList, outgoing_of
from webwx.storage.cursors import encode_cursor

if TYPE_CHECKING:
    from webwx.client.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.messages import Event
    from webwx.representations.messages import HistoryEntry
    from webwx.storage.base import Outgoing, State


class RemoteHistory:
    """
    Reads the journal of an account of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        raise missing(name)

    async def history(
        self, chat: To | None, *, limit: int, before: int | None, since: float, until: float
    ) -> list[Event | Outgoing]:
        """Return messages, recalls and sends, the oldest first."""
        found = await self._messages(chat, limit, before, {"since": since or None, "until": until or None})
        return found[::-1]

    async def search(self, words: str, *, chat: To | None, limit: int, before: int | None) -> list[Event | Outgoing]:
        """Return the messages and sends that contain all of these words, the newest first."""
        return await self._messages(chat, limit, before, {"q": words})

    async def _messages(
        self, chat: To | None, limit: int, before: int | None, query: dict[str, object]
    ) -> list[Event | Outgoing]:
        """Return messages and sends, the newest first, in as many pages as necessary."""
        path, which = await self._calls.path("messages"), None if chat is None else recipient_of(chat)

        async def read(before: int | None, limit: int) -> tuple[list[Event | Outgoing], int | None]:
            page = await self._calls.get(path, HistoryPage, {"chat": which, "before": before, "limit": limit, **query})
            return [_value_of(entry) for entry in page.entries], page.before

        return await read_pages(read, begin=before, limit=limit)

    async def find_message(self, which: str | int) -> Event | None:
        """Find a received event by its number."""
        if not isinstance(which, int):
            raise NotThroughGateway("A gateway finds a message by its number, not by the platform's id.")
        try:
            return event_of(await self._calls.get(await self._calls.path("messages", which), EventView))
        except GatewayRefused as refused:
            if refused.code == "not-found":
                return None
            raise

    async def read_events(self, after: int, *, since: float, until: float, limit: int) -> list[Event]:
        """Return the events after a number, in the order of arrival."""
        if since or until:
            raise NotThroughGateway(
                "A client of a gateway does not support since= and until= of read_events; use history, which has both."
            )
        account = await self._calls.number()
        page = await self._calls.get(
            "/events", EventsView,
            {"accounts": account, "after": encode_cursor({account: after}) or None, "limit": min(limit, PAGE)},
        )  # fmt: skip
        return [event_of(view) for view in page.events]

    async def list_sends(self, *states: State, chat: To | None, limit: int) -> list[Outgoing]:
        """Return the sends of the outbox, the newest first."""
        if chat is not None:
            raise NotThroughGateway("A client of a gateway does not support chat= of list_sends.")
        path = await self._calls.path("sends")
        found: list[Outgoing] = []
        for state in states or (None,):
            listed = await self._calls.get(path, SendList, {"state": state, "limit": min(limit, PAGE)})
            found += [outgoing_of(entry) for entry in listed.sends]
        return sorted(found, key=lambda row: row.created_at, reverse=True)[:limit]

    async def find_send(
        self, *, key: str = "", number: int = 0, client_id: str = "", message_id: str = ""
    ) -> Outgoing | None:
        """Find a send of the outbox by its client id."""
        if key or number or message_id:
            raise NotThroughGateway("A gateway finds a send by its client_id only.")
        try:
            return outgoing_of(await self._calls.get(await self._calls.path("sends", client_id), OutboxEntry))
        except GatewayRefused as refused:
            if refused.code == "not-found":
                return None
            raise


class RemoteRecalled:
    """
    Recalls in a gateway's journal.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        raise missing(name)

    async def list_recalled(self, chat: To | None = None, *, limit: int = 50) -> list[Recalled]:
        """Return the recalls, the newest first."""
        which = None if chat is None else recipient_of(chat)
        page = await self._calls.get(
            await self._calls.path("recalled"), RecalledPage, {"chat": which, "limit": min(limit, PAGE)}
        )
        return [
            Recalled(notice=notice, way=cast("Literal['by_content', 'by_upload', 'none']", entry.way))
            for entry in page.recalled
            if isinstance(notice := event_of(entry.event), MessageRecalled)
        ]


class RemoteDeadLetters:
    """
    Dead letters of a consumer of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        raise missing(name)

    async def list_dead_letters(self, *, consumer: str, limit: int) -> list[DeadLetter]:
        """Return the dead letters of a consumer, the newest first."""
        path = await self._calls.path("consumers", consumer, "dead-letters")
        page = await self._calls.get(path, DeadLetterPage, {"limit": min(limit, PAGE)})
        return [
            DeadLetter(
                consumer=consumer, attempts=each.attempts, error=each.error, time=each.time.timestamp(),
                event=event_of(each.event),
            )
            for each in page.dead_letters
        ]  # fmt: skip

    async def revive(self, number: int, *, consumer: str) -> bool:
        """Deliver a dead letter once more."""
        path = await self._calls.path("consumers", consumer, "dead-letters", number, "revive")
        try:
            await self._calls.change("POST", path, type(None))
        except GatewayRefused as refused:
            if refused.code == "not-found":
                return False
            raise
        return True


def _value_of(entry: HistoryEntry) -> Event | Outgoing:
    return event_of(entry.event) if entry.event is not None else outgoing_of(cast("OutboxEntry", entry.send))
