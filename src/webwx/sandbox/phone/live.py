"""
The state of one open page, without its WebSocket: it receives the page's messages and returns updates.

The owner of the WebSocket is called back when there may be updates, and asks for them when it can send. A slow page
therefore gets one combined update instead of a queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.codec import write_json
from webwx.sandbox.control import is_same_origin
from webwx.sandbox.phone.tools import FaultsUpdates, TrafficUpdates
from webwx.sandbox.phone.updates import PhoneUpdates, UpdateSource, WorldUpdates

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.http import Request
    from webwx.sandbox.world import World

PATH = "/phone/live"

SOURCES: tuple[Callable[[World], UpdateSource], ...] = (WorldUpdates, PhoneUpdates, TrafficUpdates, FaultsUpdates)
"""Factories of the update sources of a page."""


class _PageMessage(msgspec.Struct, frozen=True):
    """Any message of the page."""

    kind: str


def is_welcome(request: Request) -> bool:
    """Return whether a handshake comes from a page of this server; browsers always send `Origin`."""
    return is_same_origin(request) and request.header("Origin") != ""


class LivePage:
    """
    The update sources of one page.

    Args:
        world: The world that the page shows.
        call: Called from any thread when there may be updates.
    """

    def __init__(self, world: World, call: Callable[[], object]) -> None:
        self._call = call
        self._sources = [make(world) for make in SOURCES]
        self._unsubscribes = (
            world.watch(self._note_change),
            world.traffic.subscribe(call),
            world.faults.subscribe(call),
        )

    def receive(self, text: str) -> None:
        """Handle a message of the page; a malformed one is ignored."""
        try:
            kind = msgspec.json.decode(text, type=_PageMessage).kind
            for source in self._sources:
                if kind in source.handlers:
                    said, act = source.handlers[kind]
                    act(msgspec.json.decode(text, type=said))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        self._call()

    def updates(self) -> list[str]:
        """Return the updates that the page does not have yet, as JSON texts."""
        return [write_json(update).decode() for source in self._sources for update in source.updates()]

    def close(self) -> None:
        """Unsubscribe from the world."""
        for unsubscribe in self._unsubscribes:
            unsubscribe()

    def _note_change(self, owner: str, chat: str) -> None:
        for source in self._sources:
            source.note_change(owner, chat)
        self._call()
