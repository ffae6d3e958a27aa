"""Begin a release with a commit that has its version, and end it with a tag; nothing is published."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from packaging.version import Version
from scripts.project import ROOT, project
from scripts.release import changelog
from scripts.release.environments import run, uv

if TYPE_CHECKING:
    from pathlib import Path


def begin(version: str) -> None:
    """
    Write a version into the project, collect its changelog, store what it writes to disks, and commit all of it.

    Nothing happens if the last commit is that of this release, which was interrupted before its tag.

    Raises:
        SystemExit: There are changes that are not committed, the version is not newer, or no page tells what is new.
    """
    if run("git", "status", "--porcelain", folder=ROOT):
        raise SystemExit("There are changes that are not committed; commit them, or start from a clean clone.")
    present = project()["project"]["version"]
    if version == present and _is_begun(version):
        return
    if str(Version(version)) != version or Version(version) <= Version(present):
        raise SystemExit(f"{version} is not a version after {present}.")
    for page in ("whats-new.md", "whats-new.zh.md"):
        title = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()[0]
        if version not in title:
            raise SystemExit(f"docs/{page} has to tell what is new in {version}; its title is {title!r}.")
    try:
        _commit(version)
    except BaseException:  # also Ctrl-C: the checkout is clean again, as it was
        run("git", "reset", "--quiet", "--hard", folder=ROOT)
        run("git", "clean", "--quiet", "--force", "-d", "tests/storage/released", folder=ROOT)
        raise


def _is_begun(version: str) -> bool:
    """Return whether the last commit is that of a release that has no tag yet."""
    subject = run("git", "log", "-1", "--format=%s", folder=ROOT).strip()
    return subject == f"Release {version}" and not run("git", "tag", "--list", f"v{version}", folder=ROOT)


def _commit(version: str) -> None:
    run(uv(), "version", "--no-sync", version, folder=ROOT)
    run(uv(), "sync", "--quiet", "--frozen", "--inexact", "--all-extras", folder=ROOT)
    changelog.collect(version)
    run(sys.executable, "-m", "tests.storage.released.make", folder=ROOT)
    run("git", "add", "--all", folder=ROOT)
    run("git", "commit", "--quiet", "--message", f"Release {version}", folder=ROOT)


def end(built: Path) -> str:
    """
    Tag the commit of a release whose checks have passed, copy its packages to dist/, and return what is left to do.

    Args:
        built: Folder of the packages.

    Raises:
        SystemExit: The commit is no release, or the packages are of another version.
    """
    version = project()["project"]["version"]
    if not _is_begun(version):
        raise SystemExit("The last commit is not that of a release without a tag.")
    if not [*built.glob(f"webwx-{version}-*.whl")]:
        raise SystemExit(f"{built} has no packages of {version}.")
    out = ROOT / "dist"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(built, out)
    run("git", "tag", "--annotate", f"v{version}", "--message", f"webwx {version}", folder=ROOT)
    return (
        f"{version} is committed and tagged, and its packages are in {out}; nothing is published.\n"
        "To publish it: git push --follow-tags, then add the files of dist/ to the release of this tag, and, if the "
        f"name on the package index is ours: twine upload dist/webwx-{version}*.whl dist/webwx-{version}.tar.gz"
    )
