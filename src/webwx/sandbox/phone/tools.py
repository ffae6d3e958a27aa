"""The updates for the tools beside the phone: the traffic strip and the faults panel."""

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
"""Maximum number of exchanges in one update; a longer burst cannot be read anyway."""


class _ToolVisibility(msgspec.Struct, frozen=True):
    """Whether the page shows a tool; hidden tools get no updates."""

    open: bool = False


# -- the wire --------------------------------------------------------------------------------------------------------


class TrafficUpdate(Update, frozen=True, kw_only=True, tag="wire"):
    """New and changed exchanges."""

    forgotten: int
    """Number of the last exchange that was cleared."""
    exchanges: list[Exchange]


class TrafficUpdates:
    """The traffic strip."""

    def __init__(self, world: World) -> None:
        self.handlers: MessageHandlers = {"wire": (_ToolVisibility, self._set_visibility)}
        self._log = world.traffic
        self._is_open = False
        self._last_sent = 0

    def note_change(self, owner: str, chat: str) -> None:
        """Do nothing: phones do not show traffic."""

    def updates(self) -> Iterator[Update]:
        """Yield new and changed exchanges."""
        last = self._log.changes
        if self._is_open and last != self._last_sent:
            exchanges = self._log.since(self._last_sent, most=AT_ONCE if self._last_sent else SIZE)
            self._last_sent = last
            yield TrafficUpdate(forgotten=self._log.forgotten, exchanges=exchanges)

    def _set_visibility(self, how: _ToolVisibility) -> None:
        self._is_open, self._last_sent = how.open, 0


# -- faults ----------------------------------------------------------------------------------------------------------


class CatalogueUpdate(Update, frozen=True, kw_only=True, tag="fault-catalogue"):
    """The faults that this server can inject."""

    catalogue: list[FaultDescription]
    calls: list[str]
    """Names of the calls that a fault can be limited to."""


class FaultsUpdate(Update, frozen=True, kw_only=True, tag="faults"):
    """The active faults and how often each was injected."""

    seed: int
    active: list[ActiveFault]
    script: list[ActiveFault]
    hits: dict[str, int]


class FaultsUpdates:
    """The faults panel."""

    def __init__(self, world: World) -> None:
        self.handlers: MessageHandlers = {"faults": (_ToolVisibility, self._set_visibility)}
        self._faults = world.faults
        self._is_open = False
        self._last_sent: FaultsUpdate | None = None

    def note_change(self, owner: str, chat: str) -> None:
        """Do nothing: phones do not show faults."""

    def updates(self) -> Iterator[Update]:
        """Yield the catalogue when the panel was just opened, then the active faults when they changed."""
        if not self._is_open:
            return
        if self._last_sent is None:
            yield CatalogueUpdate(
                catalogue=catalogue(self._faults.kinds), calls=[endpoint.name for endpoint in ENDPOINTS]
            )
        now = FaultsUpdate(
            seed=self._faults.seed,
            active=[active(rule) for rule in self._faults.rules],
            script=[active(rule) for rule in self._faults.script],
            hits=dict(self._faults.hits),
        )
        if now != self._last_sent:
            self._last_sent = now
            yield now

    def _set_visibility(self, how: _ToolVisibility) -> None:
        self._is_open, self._last_sent = how.open, None
