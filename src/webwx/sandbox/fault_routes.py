"""
The control API's calls for faults, equal for the sandbox and for the fault proxy: one struct and one function each.

    GET  /control/faults                                {"seed", "menu": [fault], "active": [rule], "script": [rule],
                                                         "hits": {name: number}}
    POST /control/faults           rule                 {"number"}
    POST /control/faults/script    {"faults": [text]}   {}
    POST /control/faults/take-off  {"number"}           {}
    POST /control/faults/seed      {"seed"}             {"seed"}
    POST /control/faults/reset                          {}

A fault of the catalogue is `{"name", "does", "section", "where", "calls", "options"}`. A rule is `{"fault", "endpoint",
"times", "probability", "options"}`, and where it is listed it has its `number` and its `hits` too; without `times` it
is on until it is turned off. `hits` counts since the last reset. Without a `seed` a random one is used. A text is
`NAME:OPTION=VALUE@PROBABILITY`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from webwx.sandbox.faults import ActiveRule, FaultDescription, FaultInjector, FaultRule, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable


class NoParameters(msgspec.Struct, frozen=True):
    """An empty request, or an empty answer."""


class FaultScript(msgspec.Struct, frozen=True, kw_only=True):
    """A list of faults that happen one after the other."""

    faults: list[str]


class Numbered(msgspec.Struct, frozen=True, kw_only=True):
    """The number of an active fault or of an exchange."""

    number: int


class SeedParameter(msgspec.Struct, frozen=True, kw_only=True):
    """The seed of all random numbers; None uses a random seed."""

    seed: int | None = None


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """The new seed of all random numbers."""

    seed: int


class ActiveFault(msgspec.Struct, frozen=True, kw_only=True):
    """An active fault, or a fault of the script."""

    number: int
    fault: str
    endpoint: str
    times: int | None
    probability: float
    options: dict[str, str | int | float]
    hits: int


class FaultReport(msgspec.Struct, frozen=True, kw_only=True):
    """The faults that this server can inject, and the active ones."""

    seed: int
    catalogue: list[FaultDescription] = msgspec.field(name="menu")
    active: list[ActiveFault]
    script: list[ActiveFault]
    hits: dict[str, int]
    """Number of times that each fault has happened since the last reset."""


def _list(faults: FaultInjector, _: NoParameters) -> FaultReport:
    """List the catalogue, the active faults and their counts."""
    return FaultReport(
        seed=faults.seed,
        catalogue=catalogue(faults.kinds),
        active=[active(rule) for rule in faults.rules],
        script=[active(rule) for rule in faults.script],
        hits=dict(faults.hits),
    )


def active(rule: ActiveRule) -> ActiveFault:
    """Describe an active fault."""
    return ActiveFault(
        number=rule.number, fault=rule.name, endpoint=rule.endpoint, times=rule.times, probability=rule.probability,
        options=msgspec.structs.asdict(rule.fault), hits=rule.hits,
    )  # fmt: skip


def _add(faults: FaultInjector, rule: FaultRule) -> Numbered:
    return Numbered(number=faults.add(rule).number)


def _follow(faults: FaultInjector, script: FaultScript) -> NoParameters:
    faults.follow(script.faults)
    return NoParameters()


def _take_off(faults: FaultInjector, which: Numbered) -> NoParameters:
    faults.remove(which.number)
    return NoParameters()


def _reseed(faults: FaultInjector, how: SeedParameter) -> Seeded:
    faults.reseed(how.seed)
    return Seeded(seed=faults.seed)


def _reset(faults: FaultInjector, _: NoParameters) -> NoParameters:
    faults.reset()
    return NoParameters()


FAULT_ROUTES: dict[tuple[str, str], tuple[type[msgspec.Struct], Callable[[FaultInjector, Any], msgspec.Struct]]] = {
    ("GET", "faults"): (NoParameters, _list),
    ("POST", "faults"): (FaultRule, _add),
    ("POST", "faults/script"): (FaultScript, _follow),
    ("POST", "faults/take-off"): (Numbered, _take_off),
    ("POST", "faults/seed"): (SeedParameter, _reseed),
    ("POST", "faults/reset"): (NoParameters, _reset),
}
"""Handlers by method and path, each with the type of its input."""
