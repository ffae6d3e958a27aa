"""The goals that the harness runs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.soak import (
    abuse,
    cluster_failures,
    cluster_size,
    disks,
    faults,
    gateway_kills,
    hostile,
    kills,
    liveness,
    load,
    media,
    memory,
    patience,
    sends,
    states,
    storms,
    traces,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from tests.soak.stage import Figures, Run

GOALS: dict[str, Callable[[Run], Coroutine[Any, Any, Figures]]] = {
    "G-R1": faults.run,
    "G-R2": kills.run_kills,
    "G-R3": disks.run,
    "G-R6": storms.run_outages,
    "G-R7": storms.run_storms,
    "G-R9": patience.run,
    "G-R10": load.run,
    "G-R11": memory.run,
    "G-R13": kills.run_terminations,
    "G-R14": sends.run,
    "G-R15": media.run,
    "G-R17": states.run,
    "G-R18": gateway_kills.run,
    "G-R19": cluster_failures.run,
    "G-R20": cluster_size.run,
    "G-R21": liveness.run,
    "G-S1": traces.run,
    "G-S3": hostile.run_programs,
    "G-S6": hostile.run_addresses,
    "G-S7": abuse.run,
}
