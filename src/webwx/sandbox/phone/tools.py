"""What the tools beside the phone are told: the strip of the wire, and the panel of faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol import ENDPOINTS
from webwx.sandbox.fault_routes import ActiveFault, active
from webwx.sandbox.faults import FaultDescription, catalogue
from webwx.sandbox.phone.updates import MessageHandlers, Update
from webwx.sandbox.traffic import SIZE, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.world import World


AT_ONCE = 100
"""New exchanges that are told at most: nobody reads more of a flood, and a server has better things to do."""


class _ToolVisibility(msgspec.Struct, frozen=True):
    """Whether the page shows a tool: what nobody looks at is not told."""

    open: bool = False


# -- the wire --------------------------------------------------------------------------------------------------------


class TrafficUpdate(Update, frozen=True, kw_only=True, tag="wire"):
    """Exchanges that are new or have changed."""

    forgotten: int
    """Exchanges up to this number have been cleared."""
    exchanges: list[Exchange]


class TrafficUpdates:
    """The strip of the wire."""

    def __init__(self, world: World) -> None:
        self.handlers: MessageHandlers = {"wire": (_ToolVisibility, self._look)}
        self._log = world.traffic
        self._is_open = False
        self._told = 0

    def note_change(self, owner: str, chat: str) -> None:
        """Nothing that phones show is on the wire."""

    def updates(self) -> Iterator[Update]:
        """Give what has changed."""
        last = self._log.changes
        if self._is_open and last != self._told:
            exchanges = self._log.since(self._told, most=AT_ONCE if self._told else SIZE)
            self._told = last
            yield TrafficUpdate(forgotten=self._log.forgotten, exchanges=exchanges)

    def _look(self, how: _ToolVisibility) -> None:
        self._is_open, self._told = how.open, 0


# -- faults ----------------------------------------------------------------------------------------------------------


class CatalogueUpdate(Update, frozen=True, kw_only=True, tag="fault-catalogue"):
    """What can go wrong here."""

    catalogue: list[FaultDescription]
    calls: list[str]
    """What a fault can be asked for."""


class FaultsUpdate(Update, frozen=True, kw_only=True, tag="faults"):
    """What does go wrong, and what did."""

    seed: int
    active: list[ActiveFault]
    script: list[ActiveFault]
    hits: dict[str, int]


class FaultsUpdates:
    """The panel of faults."""

    def __init__(self, world: World) -> None:
        self.handlers: MessageHandlers = {"faults": (_ToolVisibility, self._look)}
        self._faults = world.faults
        self._is_open = False
        self._told: FaultsUpdate | None = None

    def note_change(self, owner: str, chat: str) -> None:
        """Nothing that phones show is a fault."""

    def updates(self) -> Iterator[Update]:
        """Yield the catalogue when the panel has just been opened, and what is on and has happened."""
        if not self._is_open:
            return
        if self._told is None:
            yield CatalogueUpdate(
                catalogue=catalogue(self._faults.kinds), calls=[endpoint.name for endpoint in ENDPOINTS]
            )
        now = FaultsUpdate(
            seed=self._faults.seed,
            active=[active(rule) for rule in self._faults.rules],
            script=[active(rule) for rule in self._faults.script],
            hits=dict(self._faults.hits),
        )
        if now != self._told:
            self._told = now
            yield now

    def _look(self, how: _ToolVisibility) -> None:
        self._is_open, self._told = how.open, None
