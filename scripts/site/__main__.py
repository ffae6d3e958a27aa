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
    for language in LANGUAGES:
        config = stage(BUILT, language)
        command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "-f", str(config)]
        subprocess.run(command, check=True)  # noqa: S603 - a tool of the project
    found = problems(BUILT / "html")
    print("\n".join(found) or f"The site is in {BUILT / 'html'}.")  # noqa: T201
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
