"""The trees whose code is measured: this one, and a former one beside it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.case import DRIVER, FLOOR, PEER

ROOT = Path(__file__).parent.parent

FORMER = "former "
"""Before the name of a variant: the same with the former tree's package."""

_SAME_IN_ALL_TREES = frozenset({FLOOR, PEER, DRIVER})


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A Python environment with the package, and the benchmarks that use it."""

    python: Path
    benchmarks: Path
    """The checkout whose cases run."""
    cache: str = ""
    """Subfolder for what is made once; the files of one tree may be of no use to another one."""

    @property
    def commit(self) -> str:
        """The commit of the package; empty outside of a repository, with a `+` where files were changed."""
        checkout = self.python.parent.parent.parent
        command = ["git", "-C", str(checkout), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


THIS = Tree(python=Path(sys.executable), benchmarks=ROOT)


def former_trees(checkout: Path) -> tuple[Tree, ...]:
    """
    Return the ways to measure a former checkout, which has its own environment in `.venv`.

    The cases of this tree are the first choice, because they measure both in the same way. Where they use something
    that the former package lacks, those of the former tree are the other one.

    Raises:
        SystemExit: The folder has no environment.
    """
    python = checkout.absolute() / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit(f"{checkout} has no environment: run `make tools` there.")
    return tuple(Tree(python=python, benchmarks=place, cache="former") for place in (ROOT, checkout.absolute()))


def has_former(variant: str) -> bool:
    """Return whether a variant depends on the package, so that another tree has one as well."""
    return variant not in _SAME_IN_ALL_TREES
