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
from benchmarks.trees import FORMER, ROOT, THIS, Tree, has_former

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ACTOR = Path(__file__).with_name("actor.py")

LONGEST = 1_800
"""Seconds a run may take; filling a journal, and thousands of logins, take minutes."""

LONGEST_WARM_UP = 120
"""Seconds a former tree may take to warm a case up, which may use something that it lacks and wait for ever."""

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
    begin: int = 0,
    scale: float = 1.0,
    former: Sequence[Tree] = (),
    on_run: Callable[[str], object] = lambda _: None,
    late: list[Late] | None = None,
) -> Iterator[Round]:
    """
    Yield the rounds of a case.

    Args:
        case: The case.
        folder: For journals and whatever else is written.
        rounds: Their number.
        begin: The number of rounds that are there already.
        scale: Of all numbers of the case.
        former: Ways to measure a former tree in turn with this one; the first that can run the case does.
        on_run: Is called with a line of progress before each run.
        late: The latencies far above the others of this tree are added here.
    """
    _prepare(case, folder, scale, THIS, on_run)
    for variant in case.variants:
        on_run(f"{case.name}: warms up, {variant}")
        run_once(case, variant, folder, scale=min(scale, WARM_UP))
    before = next((tree for tree in former if _can_run(case, folder, scale, tree, on_run)), None)
    for number in range(begin, rounds):
        done: Round = {}
        for name, variant, tree in _runs_of(case, before, is_former_first=number % 2 == 1):
            on_run(f"{case.name}: round {number + 1} of {rounds}, {name}")
            done[name] = run_once(case, variant, folder, scale=scale, tree=tree, late=late if tree is THIS else None)
        yield done


def _runs_of(case: Case, former: Tree | None, *, is_former_first: bool) -> Iterator[tuple[str, str, Tree]]:
    """Yield the name, the variant and the tree of each run of a round."""
    for variant in case.variants:
        both = [(variant, variant, THIS)]
        if former is not None and has_former(variant):
            both.insert(0 if is_former_first else 1, (FORMER + variant, variant, former))
        yield from both


def _can_run(case: Case, folder: Path, scale: float, tree: Tree, on_run: Callable[[str], object]) -> bool:
    """Prepare and warm up a case with a former tree; return whether it can run there."""
    try:
        _prepare(case, folder, scale, tree, on_run)
        for variant in filter(has_former, case.variants):
            on_run(f"{case.name}: warms up, {FORMER}{variant}")
            run_once(case, variant, folder, scale=min(scale, WARM_UP), tree=tree, longest=LONGEST_WARM_UP)
    except RunFailed as failure:
        on_run(f"{case.name}: {tree.benchmarks} cannot measure the former tree: {_last(str(failure), 1)}")
        return False
    return True


def _prepare(case: Case, folder: Path, scale: float, tree: Tree, on_run: Callable[[str], object]) -> None:
    if case.prepare is not None:
        on_run(f"{case.name}: prepares {tree.cache}".rstrip())
        run_once(case, PREPARE, folder, scale=scale, tree=tree)


def run_once(
    case: Case,
    variant: str,
    folder: Path,
    *,
    scale: float = 1.0,
    tree: Tree = THIS,
    late: list[Late] | None = None,
    longest: float = LONGEST,
) -> Figures:
    """
    Run one variant in a fresh process, with compiled modules as an installed program has them.

    Args:
        case: The case.
        variant: The name of the variant.
        folder: For journals and whatever else is written.
        scale: Of all numbers of the case.
        tree: The code to measure.
        late: Its latencies far above the others are added here.
        longest: Seconds it may take.

    Raises:
        RunFailed: It printed no figures; the text of the error is its output.
    """
    shared = folder / tree.cache
    shared.mkdir(parents=True, exist_ok=True)
    case = case.scaled(scale)
    with tempfile.TemporaryDirectory(dir=folder) as own, server(case.world, Path(own)) as where:
        arguments = {
            "case": case.name,
            "variant": variant,
            "numbers": case.numbers,
            "folder": own,
            "shared": str(shared),
        } | where
        command = [str(tree.python), "-c", ACTOR.read_text(encoding="utf-8"), json.dumps(arguments)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, cwd=tree.benchmarks, timeout=longest,
                start_new_session=True, env=environment(folder),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RunFailed(f"{case.name}, {variant}: not done after {longest:.0f} s.") from None
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
