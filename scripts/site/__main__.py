"""Build the documentation site in both languages, and check it: `python -m scripts.site`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.project import ROOT
from scripts.site.check import problems
from scripts.site.stage import LANGUAGES, stage

BUILT = ROOT / "build" / "site"
"""Folder of what is made: the staged pages of each language, and the site in `html`."""


def main() -> None:
    """Build the site, and end with 1 if it has a problem."""
    argparse.ArgumentParser(prog="python -m scripts.site", description=__doc__).parse_args()
    shutil.rmtree(BUILT, ignore_errors=True)
    warnings = [warning for language in LANGUAGES for warning in _build(stage(BUILT, language))]
    found = [*dict.fromkeys(warnings), *problems(BUILT / "html")]
    print("\n".join(found) or f"The site is in {BUILT / 'html'}.")  # noqa: T201
    sys.exit(bool(found))


def _build(config: Path) -> list[str]:
    """Build the site of a language, and return what its generator found wrong in docstrings, which it lets pass."""
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "-f", str(config)]
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603 - a tool of the project
    if built.returncode:
        sys.exit(built.stdout)
    return [line for line in built.stdout.splitlines() if line.startswith("griffe: ")]


if __name__ == "__main__":
    main()
