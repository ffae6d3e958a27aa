"""Debug mode's record of one event: the handler that got it, the time, and why other handlers did not match."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from webwx.errors import UnknownContact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.bot.context import Context
    from webwx.bot.router import Handler
    from webwx.client.client import AsyncClient

_log = logging.getLogger("webwx.bot")


class EventLog:
    """
    Collects the steps of handling one event, and logs them at the end.

    The lines name people and chats, so they are written in debug mode only.

    Args:
        context: The event's context.
        handlers: All handlers of the bot, in the order in which they are tried.
        seconds: The event loop's clock when the event was taken.
    """

    def __init__(self, context: Context, handlers: Iterable[Handler], seconds: float) -> None:
        self._context = context
        self._handlers = tuple(handlers)
        self._began_at = seconds
        self._chosen: Handler | None = None
        self._reasons: dict[Handler, str] = {}

    def did_not_match(self, handler: Handler, reason: str) -> None:
        """Record why a handler did not match."""
        self._reasons[handler] = reason

    def chose(self, handler: Handler) -> None:
        """Record the handler that gets the event."""
        self._chosen = handler

    def write(self, seconds: float, outcome: str = "") -> None:
        """
        Log the event and, below it, each handler that did not get it.

        Args:
            seconds: The event loop's clock now.
            outcome: Text to add if the handler did not return, such as `failed`.

        """
        event = self._context.event
        chosen = "no handler" if self._chosen is None else self._chosen.name
        lines = [
            f"event {event.number} {event.type}{_origin(self._context)} -> {chosen}"
            f"{outcome and f' {outcome}'}, {(seconds - self._began_at) * 1000:.0f} ms"
        ]
        is_later = False
        for handler in self._handlers:
            if handler is self._chosen:
                is_later = True
                continue
            event_types = ", ".join(each.__name__ for each in handler.event_types)
            reason = self._reasons.get(handler) or (
                "not tried, an earlier handler matched"
                if is_later and handler.accepts(type(event))
                else f"takes {event_types} only"
                if not handler.accepts(type(event))
                else "not tried"
            )
            lines.append(f"  {handler.name}: {reason}")
        _log.info("%s", "\n".join(lines))


def _origin(context: Context) -> str:
    """Return the sender of an event, with the name of its chatroom if it has one, such as ` from 阿华 in 家人群`."""
    event, client = context.event, context.client
    if getattr(event, "is_self", False):
        return " from this account"
    chat, sender = getattr(event, "chat", None), getattr(event, "sender", None)
    if not chat:
        return ""
    if not sender or sender == chat:
        return f" from {_name(client, chat)}"
    return f" from {_name(client, sender, chat)} in {_name(client, chat)}"


def _name(client: AsyncClient, contact_id: str, chat: str = "") -> str:
    try:
        found = client.contacts.resolve(contact_id).display_name
    except UnknownContact:
        room = client.contacts.get(chat)
        found = next((each.display_name for each in (room.members if room else ()) if each.id == contact_id), "")
    return " ".join(found.split()) or "an unknown contact"
