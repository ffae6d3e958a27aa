"""
Make a release: `python -m scripts.release check`, which builds the packages in build/release and checks them.

`begin VERSION` writes the version before that, and `end` adds the tag after it; `make release` does all three.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from scripts.project import ROOT, repository
from scripts.release import checks, version
from scripts.release.environments import NOT_RUN, PYTHONS

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BUILT = ROOT / "build" / "release"
"""Folder of all that is made."""


def main() -> None:
    """Do one part of a release; the checks end with 1 if in CI a Python is missing."""
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("check")
    parts.add_parser("begin").add_argument("version")
    parts.add_parser("end")
    arguments = parser.parse_args()
    match arguments.part:
        case "begin":
            version.begin(arguments.version)
        case "end":
            print(version.end(BUILT / "dist"))  # noqa: T201
        case _:
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
    for each in missing:
        print(f"NOT RUN: Python {each} is not installed here.")  # noqa: T201
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
