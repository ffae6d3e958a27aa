"""The file with all rounds, which is written after each of them, so that a run that was stopped can go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks import report
from benchmarks.case import Late
from benchmarks.machine import describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.case import Case
    from benchmarks.harness import Round


class Results:
    """
    Rounds of all cases, of this run and of earlier ones.

    Args:
        path: The file; the cases in it that do not run now stay in it.
        settings: What rounds of one case must have in common: the commits and the scale.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self._settings = dict(settings)
        self._cases: dict[str, dict[str, Any]] = report.read(path).get("cases", {})
        self.ran: dict[str, list[Round]] = {}
        """The cases of this run."""

    @property
    def rounds(self) -> dict[str, list[Round]]:
        """The rounds of all cases."""
        return {name: case["rounds"] for name, case in self._cases.items()}

    def begin(self, case: Case, *, resume: bool) -> tuple[list[Round], list[Late]]:
        """Return the rounds and the late events to which this run adds; none unless it resumes a run like itself."""
        earlier = self._cases.get(case.name, {})
        if not resume or earlier.get("settings") != self._settings:
            return [], []
        self.ran[case.name] = earlier["rounds"]
        return earlier["rounds"], [Late(**event) for event in earlier["late"]]

    def add(self, case: Case, rounds: list[Round], late: list[Late]) -> None:
        """Write the rounds of a case."""
        self.ran[case.name] = rounds
        self._cases[case.name] = {
            "about": case.about,
            "machine": describe(),
            "settings": self._settings,
            "world": asdict(case.world),
            "rounds": rounds,
            "late": [event._asdict() for event in late],
        }
        rounds_of_all = self.rounds
        report.write(self._path, {"cases": self._cases, "measures": report.values(rounds_of_all, rounds_of_all)})
