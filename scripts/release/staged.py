"""The tree from which a release is built: the package, and a README and metadata that do not need the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from scripts.project import ROOT, project, repository
from scripts.site.markdown import lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IMAGE = re.compile(r"!\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
_LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^()\s]+)\)")
_IS_ADDRESS = re.compile(r"[a-z]+:|#")

_SWITCH = "[中文说明](README.zh.md)"
"""Line of the README that leads to its translation, which the packages do not have."""


def urls(address: str, version: str) -> dict[str, str]:
    """
    Return the addresses that the metadata of a release names.

    Args:
        address: The address of the repository; empty: there are no addresses.
        version: The version of the release.
    """
    if not address:
        return {}
    return {
        "Repository": address,
        "Documentation": f"{address}/blob/v{version}/docs/README.md",
        "Changelog": f"{address}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def readme(text: str, address: str, version: str) -> str:
    """
    Return the README of a release: links to files lead to the repository, or are text.

    Args:
        text: The README of the repository.
        address: The address of the repository; empty: links to files become text.
        version: The version whose files the links lead to.
    """

    def absolute(found: re.Match[str], kind: str) -> str:
        if _IS_ADDRESS.match(found["target"]):
            return found[0]
        mark = "!" if kind == "raw" else ""
        return f"{mark}[{found['text']}]({address}/{kind}/v{version}/{found['target']})" if address else found["text"]

    lines = list[str]()
    for line, is_code in lines_of(text):
        if line == _SWITCH:
            continue
        if not is_code:
            line = _IMAGE.sub(lambda found: absolute(found, "raw"), line)
            line = _LINK.sub(lambda found: absolute(found, "blob"), line)
        lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def stage(folder: Path) -> Path:
    """Copy what a release is built from into a folder, and return it; only files of the repository are copied."""
    declared = project()
    version, address = declared["project"]["version"], repository()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "src", "LICENSE"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(readme(text, address, version), encoding="utf-8")
    metadata = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(metadata + _table("project.urls", urls(address, version)), encoding="utf-8")
    return folder


def _table(name: str, values: Mapping[str, str]) -> str:
    lines = [f'{key} = "{value}"' for key, value in values.items()]
    return "\n".join(["", f"[{name}]", *lines, ""]) if values else ""
