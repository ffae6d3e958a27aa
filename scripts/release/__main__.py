"""Build the packages of a release and check them: `python -m scripts.release`. What was made is in build/release."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from scripts.project import ROOT, repository
from scripts.release import checks
from scripts.release.environments import NOT_RUN, PYTHONS

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BUILT = ROOT / "build" / "release"
"""Folder of all that is made."""


def main() -> None:
    """Check a release, and end with 1 if something is wrong with it, or could not be tried in CI."""
    argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__).parse_args()
    shutil.rmtree(BUILT, ignore_errors=True)
    BUILT.mkdir(parents=True)
    missing = release()
    sys.exit(bool(missing and os.environ.get("CI")))


def release() -> list[str]:
    """Do all checks in order, print a line for each, and return the versions of Python that are not here."""
    wheel, sdist = step("two equal builds of the wheel and the sdist", lambda: checks.build(BUILT))
    step("metadata, README, contents", lambda: checks.check_metadata(wheel, sdist))
    folder = BUILT / "environments"
    sizes, missing = step(f"Python {', '.join(PYTHONS)}", lambda: checks.check_pythons(wheel, folder))
    for name, size in sizes.items():
        print(f"    {checks.ALL if ',' in name else name or 'no extra'}: {size / 1e6:.1f} MB")  # noqa: T201
    for version in missing:
        print(f"NOT RUN: Python {version} is not installed here.")  # noqa: T201
    step("stated sizes", lambda: checks.check_sizes(sizes))
    step("lowest versions of the dependencies", lambda: checks.check_lowest(wheel, folder))
    count = step(f"wheels of every extra for Python {NOT_RUN}", checks.check_resolution)
    print(f"    {count} packages; webwx is not run with Python {NOT_RUN}")  # noqa: T201
    name, everything = wheel.name.rsplit("-", 3)[0], min(folder.glob(f"*-{checks.ALL}"))
    bill, licences = (wheel.with_name(f"{name}{ending}") for ending in (".cdx.json", "-licences.md"))
    step("licences", lambda: checks.write_licences(everything, licences))
    step("bill of materials", lambda: checks.write_bill_of_materials(everything, bill))
    checks.write_digests([wheel, sdist, bill, licences], wheel.with_name("SHA256SUMS"))
    if not repository():
        print("The address of the repository is not chosen: the metadata has no addresses.")  # noqa: T201
    print(f"The release is in {wheel.parent}.")  # noqa: T201
    return missing


def step(name: str, work: Callable[[], T]) -> T:
    """Do one check, and print what it was and how long it took."""
    begun = time.monotonic()
    found = work()
    print(f"ok  {name} ({time.monotonic() - begun:.0f} s)", flush=True)  # noqa: T201
    return found


if __name__ == "__main__":
    main()
