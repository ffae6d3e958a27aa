"""
Rounds: each variant of a case once per round, one after another, so that other load of the machine affects all of them.

Every run is a fresh process, with a fresh server beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import PREPARE, Case, Figures, Late, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent

LONGEST = 1_800
"""Seconds a run may take; filling a journal, and thousands of logins, take minutes."""

WARM_UP = 0.002
"""Scale of the run before the first round, after which everything is compiled and in the disk's cache."""

Round = dict[str, Figures]
"""What each variant has measured in one round."""


class RunFailed(Exception):
    """A run has ended without figures."""


def run_rounds(
    case: Case,
    folder: Path,
    *,
    rounds: int,
    scale: float = 1.0,
    on_run: Callable[[str], object] = lambda _: None,
    late: list[Late] | None = None,
) -> Iterator[Round]:
    """Yield the rounds of a case; their latencies far above the others are added to `late`."""
    if case.prepare is not None:
        on_run(f"{case.name}: prepares")
        run_once(case, PREPARE, folder, scale=scale)
    for variant in case.variants:
        on_run(f"{case.name}: warms up, {variant}")
        run_once(case, variant, folder, scale=min(scale, WARM_UP))
    for number in range(rounds):
        done: Round = {}
        for variant in case.variants:
            on_run(f"{case.name}: round {number + 1} of {rounds}, {variant}")
            done[variant] = run_once(case, variant, folder, scale=scale, late=late)
        yield done


def run_once(case: Case, variant: str, folder: Path, *, scale: float = 1.0, late: list[Late] | None = None) -> Figures:
    """
    Run one variant in a fresh process, with compiled modules as an installed program has them.

    Args:
        case: The case.
        variant: The name of the variant.
        folder: For journals and whatever else is written.
        scale: Of all numbers of the case.
        late: Its latencies far above the others are added here.

    Raises:
        RunFailed: It printed no figures; the text of the error is its output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own, server(case.scaled(scale).world, Path(own)) as where:
        arguments = {
            "case": case.name,
            "variant": variant,
            "scale": scale,
            "folder": own,
            "shared": str(folder),
        } | where
        command = [sys.executable, "-m", "benchmarks.actor", json.dumps(arguments)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST, start_new_session=True,
                env=environment(folder),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RunFailed(f"{case.name}, {variant}: not done after {LONGEST} s.") from None
    if done.returncode or not done.stdout:
        raise RunFailed(f"{case.name}, {variant}: no figures.\n{_last(done.stderr)}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if late is not None:
        late += [Late(*each) for each in answer["late"]]
    figures: Figures = answer["figures"]
    return figures


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run, in which compiled modules are cached."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def _last(text: str, lines: int = 30) -> str:
    """Return the last lines of a text: the error of a run, and that of a client program, which is before it."""
    return "\n".join(text.splitlines()[-lines:])


@contextmanager
def server(world: World, folder: Path) -> Iterator[dict[str, Any]]:
    """Start the reference server, and return its address."""
    command = [sys.executable, "-m", "benchmarks.server", json.dumps(asdict(world)), str(folder)]
    # Sessions of their own: Ctrl-C is the harness's to hear, and it ends what it has started.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RunFailed("The reference server did not start.")
            yield json.loads(line)
        finally:
            process.stdin.close()
            process.wait(10)
