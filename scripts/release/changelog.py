"""The changelog: what changes/ has since the last release stands above the releases of CHANGELOG.md."""

from __future__ import annotations

from scripts.project import ROOT
from scripts.release.environments import run, tool

_BEGINNING = "<!-- releases -->\n"
"""Line of CHANGELOG.md below which the newest release is added; pyproject.toml names it too."""


def collect(version: str) -> None:
    """
    Move the fragments of changes/ into CHANGELOG.md.

    Args:
        version: The version under which they are listed.

    Raises:
        SystemExit: The tool that collects them has failed.
    """
    run(tool("towncrier"), "build", "--yes", "--version", version, folder=ROOT)


def current() -> str:
    """Return CHANGELOG.md with what is not released yet."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not any((ROOT / "changes").glob("*.*.md")):
        return text
    unreleased = run(tool("towncrier"), "build", "--draft", "--version", "Not released yet", "--date", "", folder=ROOT)
    return text.replace(_BEGINNING, f"\n{unreleased}\n")
