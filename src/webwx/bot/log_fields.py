"""
Fields of log records beside the message: the bot, the event's number, and the chat.

The records of this package have the fields as attributes, which `logging` adds with `extra`. While a handler runs, the
fields are also bound to its context, if a formatter asked for this; the formatter then adds them to the records of the
handler's own program. The chat is a digest of its id: equal for the same chat of one login, and it does not reveal the
chat.
"""

from __future__ import annotations

from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextvars import Token

    from webwx.model.messages import Event

    Bound = tuple[str, Event] | None

_DIGITS = 12
"""Length of a chat's digest."""

_bound: ContextVar[Bound] = ContextVar("_bound", default=None)
"""Name of the bot and the event that is handled."""

_is_binding = False
"""Whether a formatter asked for bound fields."""


def request_binding() -> None:
    """Bind fields from now on; without this, events are handled a little faster."""
    global _is_binding
    _is_binding = True


def bind(bot: str, event: Event) -> Token[Bound] | None:
    """Bind the fields of an event until `unbind`, if a formatter asked for them."""
    return _bound.set((bot, event)) if _is_binding else None


def unbind(token: Token[Bound] | None) -> None:
    """Restore the fields that were bound before."""
    if token is not None:
        _bound.reset(token)


def bound_fields() -> dict[str, str | int]:
    """Return the fields that are bound here; empty outside a handler."""
    bound = _bound.get()
    if bound is None:
        return {}
    bot, event = bound
    return log_fields(bot, event=event.number, chat=getattr(event, "chat", ""))


def log_fields(bot: str, *, event: int = 0, chat: str = "", timer: str | int = "") -> dict[str, str | int]:
    """
    Return the fields of a record, to be passed as `extra`; empty ones are left out.

    Args:
        bot: Name of the bot.
        event: Number of the event; 0 for none.
        chat: Id of the chat; empty for none.
        timer: Name or number of the timer; empty for none.
    """
    fields: dict[str, str | int] = {"bot": bot, "event": event, "chat": _digest(chat), "timer": timer}
    return {name: value for name, value in fields.items() if value}


def _digest(chat: str) -> str:
    return sha256(chat.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS] if chat else ""
