"""
The code on a page of the documentation: which blocks run, and what they print.

All ```python blocks of a page are one program, and all ```console blocks are one shell session: lines that begin with
`$ ` are pasted into the shell, all of a block at once, and the others are the expected output, with `…` for anything. A
```python bot.py or ```toml family.toml block is saved as that file at its place in the session. Other blocks, and those
with `no-run` after the language, are for the reader only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]

SERVER = "http://127.0.0.1:8790"
"""The sandbox's address as the pages write it."""

OWN_PORT = "8791"
"""Port of a sandbox or gateway that a page starts itself."""

SECOND_PORT = "8792"
"""Port of a second gateway."""

DATABASE = "postgresql://webwx:secret@127.0.0.1/webwx"
"""The database of a page about several machines."""

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

TRANSLATIONS = [page for page in PAGES if page.name.endswith(".zh.md")]

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:python|toml) (\w+\.(?:py|toml))")


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a language that are run."""
    return [code for mark, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if mark == language]


def program(page: Path) -> str:
    """Return the page's Python blocks as one program."""
    return "\n".join(blocks(page, "python"))


class SavedFile(NamedTuple):
    """A block that the reader saves as a file."""

    name: str
    content: str


class Command(NamedTuple):
    """A command of a block, and the output that the page shows for it."""

    typed: str
    expected: list[str]


def steps(page: Path) -> list[SavedFile | list[Command]]:
    """Return what the reader of a page does, in order: save a file, or paste the commands of a block."""
    found: list[SavedFile | list[Command]] = []
    for mark, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if file := _FILE.fullmatch(mark):
            found.append(SavedFile(file[1], code))
        if mark == "console":
            found.append(_session(code))
    return found


def _session(code: str) -> list[Command]:
    found: list[Command] = []
    for line in code.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ "), []))
        else:
            found[-1].expected.append(line)
    return found


def needs_database(page: Path) -> bool:
    """Return whether the commands of a page use a database."""
    return any(DATABASE in each.typed for step in steps(page) if isinstance(step, list) for each in step)


def original(page: Path) -> Path:
    """Return the page of which this page is a translation; a page that is not a translation is its own original."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def is_run_already(page: Path, read: Callable[[Path], object]) -> bool:
    """Return whether a page is a translation with the same code as its original."""
    return page != original(page) and read(page) == read(original(page))


def matches(expected: list[str], printed: str) -> bool:
    """Return whether the output is what a page promises."""
    pattern = re.escape("\n".join(expected).strip()).replace("…", ".*")
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def name(page: Path) -> str:
    """Return the name of a page for the id of a test."""
    return page.relative_to(ROOT).as_posix()
