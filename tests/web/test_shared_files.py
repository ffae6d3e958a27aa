"""What both pages share stands once, in `webwx/web`, and needs no file of a page."""

from __future__ import annotations

import re

from webwx.gateway import console
from webwx.sandbox.phone import pages
from webwx.web import SHARED_FILES

ENTRY = re.compile(r'^  "?(\w+)"?: \[\s*("(?:[^"\\]|\\.)*"),\s*("(?:[^"\\]|\\.)*"),?\s*\],$', re.MULTILINE)

CONSOLE = {name: file.read_text("utf-8") for name, file in console.FILES.items() if name not in SHARED_FILES}
PHONES = {name: file.read_text("utf-8") for name, file in pages.FILES.items() if name not in SHARED_FILES}
SHARED = {name: file.read_text("utf-8") for name, file in SHARED_FILES.items()}


def entries(files: dict[str, str]) -> set[tuple[str, str, str]]:
    """Return the texts in scripts: the key, the English and the Chinese text."""
    return {found.groups() for text in files.values() for found in ENTRY.finditer(text)}  # type: ignore[misc]


def test_no_text_of_both_pages_stands_in_a_file_of_one() -> None:
    assert len(entries(SHARED)) > 60
    assert entries(CONSOLE) & entries(PHONES) == set()
    assert entries(SHARED) & (entries(CONSOLE) | entries(PHONES)) == set()


def test_a_shared_file_imports_shared_files_only() -> None:
    for name, text in SHARED.items():
        assert set(re.findall(r'from "\./([\w.-]+)"', text)) <= set(SHARED), name


def test_every_text_of_the_phones_and_of_the_shared_files_exists() -> None:
    shared = {key for key, _, _ in entries(SHARED)}
    for files, known in ((SHARED, shared), (PHONES, shared | {key for key, _, _ in entries(PHONES)})):
        for name, text in files.items():
            used = set(re.findall(r'\bt\("(\w+)"', text))
            assert used <= known, (name, used - known)
