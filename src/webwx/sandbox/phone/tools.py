"""What the tools beside the phone are told: the strip of the wire, and the panel of faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol import ENDPOINTS
from webwx.sandbox.fault_verbs import Active, active
from webwx.sandbox.faults import Description, catalogue
from webwx.sandbox.phone.feeds import Heard, Told
from webwx.sandbox.traffic import SIZE, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.world import World


AT_ONCE = 100
"""New exchanges that are told at most: nobody reads more of a flood, and a server has better things to do."""


class _Opened(msgspec.Struct, frozen=True):
    """Whether the page shows a tool: what nobody looks at is not told."""

    open: bool = False


# -- the wire --------------------------------------------------------------------------------------------------------


class WireTold(Told, frozen=True, kw_only=True, tag="wire"):
    """Exchanges that are new or have changed."""

    forgotten: int
    """Exchanges up to this number have been cleared."""
    exchanges: list[Exchange]


class WireFeed:
    """The strip of the wire."""

    def __init__(self, world: World) -> None:
        self.hears: Heard = {"wire": (_Opened, self._look)}
        self._log = world.traffic
        self._is_open = False
        self._told = 0

    def stir(self, owner: str, chat: str) -> None:
        """Nothing that phones show is on the wire."""

    def news(self) -> Iterator[Told]:
        """Give what has changed."""
        last = self._log.changes
        if self._is_open and last != self._told:
            exchanges = self._log.since(self._told, most=AT_ONCE if self._told else SIZE)
            self._told = last
            yield WireTold(forgotten=self._log.forgotten, exchanges=exchanges)

    def _look(self, how: _Opened) -> None:
        self._is_open, self._told = how.open, 0


# -- faults ----------------------------------------------------------------------------------------------------------


class FaultCatalogue(Told, frozen=True, kw_only=True, tag="fault-catalogue"):
    """What can go wrong here."""

    catalogue: list[Description]
    calls: list[str]
    """What a fault can be asked for."""


class FaultsTold(Told, frozen=True, kw_only=True, tag="faults"):
    """What does go wrong, and what did."""

    seed: int
    active: list[Active]
    script: list[Active]
    hits: dict[str, int]


class FaultsFeed:
    """The panel of faults."""

    def __init__(self, world: World) -> None:
        self.hears: Heard = {"faults": (_Opened, self._look)}
        self._faults = world.faults
        self._is_open = False
        self._told: FaultsTold | None = None

    def stir(self, owner: str, chat: str) -> None:
        """Nothing that phones show is a fault."""

    def news(self) -> Iterator[Told]:
        """Yield the catalogue when the panel has just been opened, and what is on and has happened."""
        if not self._is_open:
            return
        if self._told is None:
            yield FaultCatalogue(
                catalogue=catalogue(self._faults.kinds), calls=[endpoint.name for endpoint in ENDPOINTS]
            )
        now = FaultsTold(
            seed=self._faults.seed,
            active=[active(rule) for rule in self._faults.rules],
            script=[active(rule) for rule in self._faults.script],
            hits=dict(self._faults.hits),
        )
        if now != self._told:
            self._told = now
            yield now

    def _look(self, how: _Opened) -> None:
        self._is_open, self._told = how.open, None
