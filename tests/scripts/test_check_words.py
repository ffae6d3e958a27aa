"""The checker of words: private words, and references to files that do not exist."""

from __future__ import annotations

import pytest
from scripts.check_words import long_subjects, problems_of


@pytest.mark.parametrize(
    "source",
    [
        '"""Give the name."""',
        "x = 1  # nobody reads it",
        'raise ValueError("somebody has it")',
        '"""A wish."""',
        "# the ledger",
    ],
)
def test_a_private_word_is_found_in_docstrings_comments_and_strings(source: str) -> None:
    [problem] = problems_of("src/webwx/model/new.py", source + "\n")
    assert problem.startswith("src/webwx/model/new.py:1: private word ")


@pytest.mark.parametrize("source", ["somebody = give(nobody)", '"""Return the given name. Never give up."""'])
def test_names_and_plain_words_are_accepted(source: str) -> None:
    assert problems_of("src/webwx/model/new.py", source + "\n") == []


@pytest.mark.parametrize("name", ["is_told", "_heard", "handed_out"])
def test_a_private_word_is_found_in_a_name_of_the_package(name: str) -> None:
    source = f"{name} = {name} or 1\n"
    assert problems_of("src/webwx/model/new.py", source) == [
        f"src/webwx/model/new.py:1: private word in the name {name!r}"
    ]
    assert problems_of("tests/model/test_new.py", source) == []


def test_code_in_a_page_is_not_prose() -> None:
    page = "A page.\n\n```python\nsomebody = 1\n```\n\nThe name `nobody` is code.\nNobody is a word.\n"
    assert problems_of("docs/topics/new.md", page) == ["docs/topics/new.md:8: private word 'Nobody'"]


@pytest.mark.parametrize(
    "source",
    [
        "// nobody reads it",
        "act(); // nobody reads it",
        "/** Whoever reads it. */",
        "/**\n * Let it go.\n */",
        "   * anew",
    ],
)
def test_a_private_word_is_found_in_comments_of_javascript(source: str) -> None:
    [problem] = problems_of("src/webwx/web/new.js", f"{source}\n")
    assert ": private word " in problem


@pytest.mark.parametrize(
    "source", ['nobody("nobody");', 'open("https://nobody.example");', 'x = { accept: "nobody/*" };']
)
def test_code_of_javascript_is_not_prose(source: str) -> None:
    assert problems_of("src/webwx/web/new.js", f"{source}\n") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("See docs/topics/nothing.md.", "no file 'docs/topics/nothing.md'"),
        ("See the protocol notes, 6.", "refers to a missing document: 'protocol notes'"),
    ],
)
def test_a_reference_needs_an_existing_target(text: str, problem: str) -> None:
    assert problems_of("docs/topics/new.md", text) == [f"docs/topics/new.md:1: {problem}"]


def test_a_commit_subject_has_at_most_72_characters() -> None:
    assert long_subjects(["x" * 72]) == []
    assert long_subjects(["x" * 73]) == [f"commit subject has 73 characters: {'x' * 73!r}"]
