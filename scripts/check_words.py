"""
Check the language of the project: no private words, no reference to a missing document, no long commit subject.

Python files are checked in docstrings, comments and strings, JavaScript files in comments, Markdown files outside code;
of the package, the names in the code as well.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKED = (
    "src",
    "docs",
    "examples",
    "scripts",
    "benchmarks",
    "tests",
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
)
UNCHECKED = ("scripts/check_words.py", "tests/scripts/test_check_words.py")
"""Files that list the private words."""
MAX_SUBJECT = 72

PRIVATE = re.compile(
    r"\b(somebody|nobody|whoever|governor|wish(es|ed)?|says no|lives on)\b|\b(is|are|was) told\b"
    r"|\b(put aside|mend(s|ed)?|sent on|handed out|ledger|wins? over|anew|made up for|taken back|in hand)\b"
    r"|^\W*(?-i:Give|Let|Tell)s?\b",
    re.IGNORECASE | re.MULTILINE,
)
"""Words that readers would have to learn from us; the last alternative is for the first words of a docstring."""

PRIVATE_NAMES = re.compile(
    r"(?:^|_)(told|heard|unkept|doomed|poured|shunned|handed|mend|patiently|excuses?|complaints?|sealed|lanes?|ledger"
    r"|dice)(?:_|$)",
    re.IGNORECASE,
)
"""Private words in the names of functions, variables and attributes."""

MISSING = re.compile(r"protocol notes|the customer's document|\bissue \d+|\bthat document\b", re.IGNORECASE)
"""References to documents that are not in the repository."""

PATH = re.compile(r"(?<![\w/.])(?:docs|src|tests|benchmarks)/[\w/-]+\.(?:md|py)\b")


def prose_of(text: str) -> list[tuple[int, str]]:
    """Return the comments and strings of Python source, docstrings included, with their line numbers."""
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.COMMENT)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


def names_of(text: str) -> list[tuple[int, str]]:
    """Return the names in Python source, with their line numbers."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.NAME]


def script_comments(text: str) -> list[tuple[int, str]]:
    """Return the lines of JavaScript source that are or have comments, from where the comment begins."""
    return [
        (number, match[0])
        for number, line in enumerate(text.splitlines(), 1)
        if (match := re.search(r"(?:^|\s)//\s.*|^\s*/?\*.*", line))
    ]


def markdown_prose(text: str) -> list[tuple[int, str]]:
    """Return the lines of a Markdown text outside code blocks, without inline code."""
    lines, is_code = list[tuple[int, str]](), False
    for number, line in enumerate(text.splitlines(), 1):
        is_fence = line.lstrip().startswith("```")
        if not is_code and not is_fence:
            lines.append((number, re.sub(r"`[^`]*`", "", line)))
        is_code ^= is_fence
    return lines


def problems_of(name: str, text: str) -> list[str]:
    """Return the problems of one file, each with its line."""
    found = []
    prose_in = {".py": prose_of, ".js": script_comments, ".md": markdown_prose}[Path(name).suffix]
    for number, prose in prose_in(text):
        found += [(number, f"refers to a missing document: {match[0]!r}") for match in MISSING.finditer(prose)]
        found += [(number, f"no file {path!r}") for path in PATH.findall(prose) if not (ROOT / path).exists()]
        found += [(number, f"private word {match[0].strip()!r}") for match in PRIVATE.finditer(prose)]
    if name.startswith("src/") and name.endswith(".py"):
        names = dict.fromkeys((number, each) for number, each in names_of(text) if PRIVATE_NAMES.search(each))
        found += [(number, f"private word in the name {each!r}") for number, each in names]
    return [f"{name}:{number}: {problem}" for number, problem in found]


def long_subjects(subjects: list[str]) -> list[str]:
    """Return a problem for each commit subject that is too long."""
    too_long = [each for each in subjects if len(each) > MAX_SUBJECT]
    return [f"commit subject has {len(each)} characters: {each!r}" for each in too_long]


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603, S607


def main() -> int:
    """Print all problems; return 1 if there are any."""
    names = [
        name for name in _git("ls-files", *CHECKED) if name.endswith((".py", ".js", ".md")) and (ROOT / name).exists()
    ]
    problems = [
        problem
        for name in names
        if name not in UNCHECKED
        for problem in problems_of(name, (ROOT / name).read_text(encoding="utf-8"))
    ]
    added = _git("log", "--diff-filter=A", "--format=%H", "--", "scripts/check_words.py")
    problems += long_subjects(_git("log", "--no-merges", "--format=%s", f"{added[-1]}..HEAD") if added else [])
    print("\n".join(problems) or f"{len(names)} files checked.")  # noqa: T201
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
