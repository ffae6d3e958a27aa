"""Changes of the code are drawn by a seed, where a test can notice them, and each is made in a fork."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from scripts.mutate import FOLDERS, Change, Changes, Result, Results, draw, durations, explained, summary
from scripts.mutate_in_forks import PLAN, change_function, functions_by_place

from scripts import mutate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one empty package of each name."""
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setattr(mutate, "PLACE", tmp_path)
    for package in FOLDERS:
        (tmp_path / "src/webwx" / package).mkdir(parents=True)
    return tmp_path


def changes_of(root: Path, source: str) -> list[Change]:
    path = root / "src/webwx/client/retry.py"
    path.write_text(source)
    return Changes(path).found


def change(**fields: str) -> Change:
    place = {"path": "src/webwx/client/retry.py", "scope": "send", "before": "a", "after": "(b)"} | fields
    return Change(**place, line=1, last_line=1, begin=0, end=1, nth=0, is_cached=False)


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("x = a < b", ["(a <= b)"]),
        ("x = now - begun < b", ["(now - begun >= b)", "(now + begun)"]),
        ("x = 1", ["(2)"]),
        ("x = 250_000", ["(500000)"]),
        ("x = 2.5", ["(5.0)"]),
        ("SIZE = 64 * 1024", ["(2 * (64 * 1024))"]),
        ("x = a or b", ["(a and b)"]),
        ("f(1)", ["(None)", "(2)"]),
        ("x = f(a=1)", ["(f())", "(2)"]),
        ("def f():\n    return a", ["(None)"]),
        ("if not a:\n    b = c", ["(a)"]),
        ("if a:\n    b = c", ["(not a)"]),
    ],
)
def test_an_expression_is_changed_so_that_a_test_can_notice_it(root: Path, source: str, after: list[str]) -> None:
    assert [each.after for each in changes_of(root, source)] == after


@pytest.mark.parametrize(
    "source",
    [
        '"""A module, which says 1 and not 2."""',
        "_log.warning('text', 1)",
        "class A:\n    def f(self):\n        self._log.info('text', count=1)",
        "class A:\n    def __repr__(self):\n        return 'A' if self.a else 'B'",
        "raise ValueError(1)",
        "assert a == b",
        "def f(a: Literal['b']) -> c: ...",
        "Kind = Literal['b', 'c']",
        "if TYPE_CHECKING:\n    a = 1",
    ],
)
def test_what_no_test_should_notice_is_not_changed(root: Path, source: str) -> None:
    assert changes_of(root, source) == []


def test_a_change_is_of_the_outermost_function_around_it(root: Path) -> None:
    source = "x = 1\nclass A:\n    y = 2\n    def f(self, a=3):\n        def g():\n            w = 4\n        z = 5\n"
    scopes = [(each.before, each.scope) for each in changes_of(root, source) if each.before.isdecimal()]
    assert scopes == [("1", ""), ("2", ""), ("3", ""), ("4", "A.f"), ("5", "A.f")]


def test_a_change_says_whether_the_results_of_its_function_are_kept(root: Path) -> None:
    source = "@functools.cache\ndef f():\n    return 1 + a\n@property\ndef g():\n    return 2 + a\n"
    assert {each.scope: each.is_cached for each in changes_of(root, source)} == {"f": True, "g": False}


def test_a_change_has_the_same_key_when_lines_move(root: Path) -> None:
    source = "def f():\n    g(1)\n    g(1)\n"
    first = [each.key for each in changes_of(root, source)]
    later = [each.key for each in changes_of(root, f"import a\n\n{source}")]
    assert first == later
    assert len(set(first)) == len(first)


def test_a_sample_keeps_its_changes_when_others_are_added(root: Path) -> None:
    path = root / "src/webwx/client/retry.py"
    path.write_text("".join(f"a{number} = f(b{number})\nc{number} = a{number} == 2\n" for number in range(100)))
    before = {each.key for each in draw(1, 20, "*.py")}
    path.write_text("import x\n\n\nz = y == 3\n" + path.read_text())
    after = {each.key for each in draw(1, 20, "*.py")}
    assert len(before & after) >= 18
    assert before != {each.key for each in draw(2, 20, "*.py")}


def test_a_sample_has_equal_numbers_for_each_package(root: Path) -> None:
    for package in FOLDERS:
        (root / "src/webwx" / package / "some.py").write_text("".join(f"a = b{number} == c\n" for number in range(9)))
    packages = [each.package for each in draw(1, 2 * len(FOLDERS), "*.py")]
    assert sorted(packages) == sorted(2 * list(FOLDERS))


def test_a_change_replaces_the_code_of_a_decorated_function(tmp_path: Path) -> None:
    path = tmp_path / "changed_here.py"
    source = "import functools\n\n@functools.cache\ndef double(number):\n    return number * 2\n"
    path.write_text(source)
    scope: dict[str, functools._lru_cache_wrapper[int]] = {}
    exec(compile(source, str(path), "exec"), scope)
    begin = source.index("number * 2")
    change_function(functions_by_place(), path, begin, begin + len("number * 2"), "(number + 2)")
    assert scope["double"](5) == 7


@pytest.mark.parametrize("part", ["number = 1", "b = 2"])
def test_a_change_that_no_function_has_is_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "never_imported.py"
    source = "number = 1\ndef f():\n    b = 2\n    return b\n"
    path.write_text(source)
    begin = source.index(part)
    with pytest.raises(LookupError):
        change_function(functions_by_place(), path, begin, begin + len(part), f"{part[0]}{part[1:]}3")


def test_the_times_of_a_test_with_all_its_parameters_are_added(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    place = 'file="tests/client/test_retry.py" classname="tests.client.test_retry'
    report.write_text(
        "<testsuites><testsuite>"
        f'<testcase {place}.TestC" name="test_d[1]" time="0.5"/>'
        f'<testcase {place}.TestC" name="test_d[2]" time="0.25"/>'
        f'<testcase {place}" name="test_e" time="2"/>'
        "</testsuite></testsuites>"
    )
    assert durations(report) == {
        "tests/client/test_retry.py::TestC::test_d": 0.75,
        "tests/client/test_retry.py::test_e": 2.0,
    }


SUBJECT = "def double(number):\n    return number * 2 if number != 1 else 2\n"
TESTS = """
import time
import pytest
from subject import double

@pytest.fixture
def endless():
    yield
    while double(2) != 4: time.sleep(0.01)

def test_fails(): assert double(2) == 4

def test_fails_and_hangs(endless): assert double(2) == 4

def test_hangs(endless): assert double(1) == 2

def test_passes(): assert double(1) == 2
"""


def test_a_fork_says_what_came_of_a_change(tmp_path: Path) -> None:
    subject, tests, plan = tmp_path / "subject.py", tmp_path / "test_subject.py", tmp_path / "plan.json"
    subject.write_text(SUBJECT)
    tests.write_text(TESTS)
    begin = SUBJECT.index("number * 2")
    place = {"path": str(subject), "begin": begin, "end": begin + len("number * 2"), "after": "(number + 1)"}
    times = {"limits": [1.0], "seconds": 60, "goodbye": 0.1}
    names = ["test_fails", "test_fails_and_hangs", "test_hangs", "test_passes"]
    plan.write_text(
        json.dumps([{"key": name, "tests": [f"test_subject.py::{name}"]} | place | times for name in names])
    )
    command = [
        *mutate.PYTEST,
        "-p",
        "scripts.mutate_in_forks",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        str(tests),
    ]
    subprocess.run(command, cwd=mutate.ROOT, env=os.environ | {PLAN: str(plan)}, check=True, capture_output=True)
    found = [json.loads(line) for line in plan.with_suffix(".results").read_text().splitlines()]
    assert {each["key"]: (each["outcome"], each["by"]) for each in found} == {
        "test_fails": ("noticed", "test_subject.py::test_fails"),
        "test_fails_and_hangs": ("noticed", "test_subject.py::test_fails_and_hangs"),
        "test_hangs": ("hung", "test_subject.py::test_hangs"),
        "test_passes": ("escaped", ""),
    }


def test_results_are_known_to_the_next_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = change(), change(scope="recall")
    Results().add(one, "noticed", "tests/client/test_retry.py::test_b", 1.0)
    assert (Results().of(one).outcome, Results().of(other).outcome) == ("noticed", "open")


def test_the_summary_counts_what_was_noticed_and_shows_what_escaped() -> None:
    results = [
        (change(scope=scope), Result(outcome, "", 1.0))
        for scope, outcome in (("a", "noticed"), ("b", "escaped"), ("c", "explained"), ("d", "open"), ("e", "hung"))
    ]
    lines = [*summary(results)]
    assert "escaped: src/webwx/client/retry.py:1 b" in lines[0]
    assert lines[-1] == (
        "all: 2 of 4 noticed (50.0 %), 1 of them by a time limit, 1 explained, 1 escaped, 0 late; 1 not judged yet"
    )


def test_each_explained_change_has_one_reason() -> None:
    keys = [change.partition(" ")[0] for group in mutate.groups() for change in group["changes"]]
    assert sorted(keys) == sorted(explained())
    assert all(len(key) == 12 for key in keys)


def test_each_explained_change_is_still_possible() -> None:
    gone = []
    for text in (text for group in mutate.groups() for text in group["changes"]):
        key, path, *_ = text.split(maxsplit=2)
        changes = Changes(mutate.ROOT / "src/webwx" / path.removesuffix(":")).found
        gone += [] if key in {each.key for each in changes} else [text]
    assert gone == []
