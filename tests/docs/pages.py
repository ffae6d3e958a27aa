"""
The code on a page of the documentation: what of it runs, and what it should print.

Of each page all ```python blocks are one program and all ```console blocks one shell session: lines that begin with
`$ ` are typed, the others are what comes back, with `…` for anything. A ```python bot.py or ```toml family.toml block
is a file that the session has from there on. Blocks marked otherwise, or with `no-run` behind the language, are for the
reader only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]

SERVER = "http://127.0.0.1:8790"
"""The sandbox's address as the pages write it."""

OWN_PORT = "8791"
"""Port of a sandbox that a page starts by itself."""

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

TRANSLATIONS = [page for page in PAGES if page.name.endswith(".zh.md")]

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:python|toml) (\w+\.(?:py|toml))")


def blocks(page: Path, language: str) -> list[str]:
    """Give the blocks of a language that are meant to run."""
    return [code for mark, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if mark == language]


def program(page: Path) -> str:
    """Give the page's Python blocks as one program."""
    return "\n".join(blocks(page, "python"))


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Give what is typed on a page, each with the lines that should come back; a file is typed in where it stands."""
    typed: list[tuple[str, list[str]]] = []
    for mark, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if file := _FILE.fullmatch(mark):
            typed.append((f"cat > {file[1]} <<'END OF FILE'\n{code}END OF FILE", []))
        for line in code.splitlines() if mark == "console" else ():
            if line.startswith("$ "):
                typed.append((line.removeprefix("$ "), []))
            else:
                typed[-1][1].append(line)
    return typed


def original(page: Path) -> Path:
    """Give the page that one is a translation of; itself, when it is none."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def is_run_already(page: Path, read: Callable[[Path], object]) -> bool:
    """Say whether a page is a translation whose code, as it is read here, is that of the original."""
    return page != original(page) and read(page) == read(original(page))


def in_background(typed: str, output: Path) -> str:
    """Give how a command that ends in `&` is begun by whoever waits for the first that it prints."""
    return (
        f"{typed.removesuffix('&')} > '{output}' &\n"
        f"until [ -s '{output}' ] || ! kill -0 $! 2> /dev/null; do sleep 0.1; done\n"
        f"cat '{output}'"
    )


def matches(expected: list[str], printed: str) -> bool:
    """Say whether output is what a page promises."""
    pattern = re.escape("\n".join(expected).strip()).replace("…", ".*")
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def name(page: Path) -> str:
    """Give a page's name for a test's id."""
    return page.relative_to(ROOT).as_posix()
