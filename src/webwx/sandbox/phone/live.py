"""
One open page, without its socket: what it says goes in, what it is told comes out.

The shell that holds the socket is called back when there may be news, asks for them in its own time, and so a slow page
gets one difference instead of a queue of them.
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
"""What makes each thing that a page is told of."""


class _PageMessage(msgspec.Struct, frozen=True):
    """Any message of the page."""

    kind: str


def is_welcome(request: Request) -> bool:
    """Say whether a handshake comes from a page of this very server; a browser always says whose it is."""
    return is_same_origin(request) and request.header("Origin") != ""


class LivePage:
    """
    What one page knows, and what it does not know yet.

    Args:
        world: What it is told of.
        call: Called when there may be news; from any thread.
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
        """Take a message of the page; one that cannot be read is passed over."""
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
        """Give what the page does not know yet, each a JSON text."""
        return [write_json(told).decode() for source in self._sources for told in source.updates()]

    def close(self) -> None:
        """Forget the page."""
        for unsubscribe in self._unsubscribes:
            unsubscribe()

    def _note_change(self, owner: str, chat: str) -> None:
        for source in self._sources:
            source.note_change(owner, chat)
        self._call()
