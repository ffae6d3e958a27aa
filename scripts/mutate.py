"""
Change one expression of the code at a time, and list the changes that no test notices.

The changes are drawn by a seed, in equal numbers for each package. Each is made in a copy of the repository, where the
tests of its module run first, then the other tests that should notice it, until one fails. A change that no test
notices is a missing test, or it changes nothing that can be observed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypedDict
from xml.etree import ElementTree

from coverage import CoverageData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "mutate"
"""The copies of the repository, and the results."""

EXPLAINED = ROOT / "scripts" / "mutate_explained.toml"
"""The changes that no test can notice, with the reason."""

FOLDERS = {
    "protocol": ("protocol", "flows", "model"),
    "flows": ("flows", "client"),
    "client": ("client", "bot"),
    "storage": ("storage", "storage_contract", "client"),
    "bot": ("bot",),
    "gateway": ("gateway",),
    "cluster": ("cluster", "gateway"),
    "transport": ("transport", "client"),
}
"""The folders of tests that should notice a change in a package, in the order in which they run."""

WITH_A_DATABASE = ("cluster", "storage", "storage_contract")
"""Packages, and folders of tests, that need a database: many of their tests are marked `verify`."""

EVERY_TEST = "verify or not verify"

HANGING = 30
"""Seconds after which a test has failed: a change may let it wait for ever."""

HUNG_TIMES, HUNG_AT_LEAST = 10, 2.0 * HANGING
"""
A run has hung after so many times the duration of the same tests without a change, and not before so many seconds.

A test that waits for ever fails by its own time limit. It hangs if what it called does not let itself be stopped, or
if the end of a fixture waits for ever.
"""

PYTEST = [
    sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header",
    "--timeout", str(HANGING),
]  # fmt: skip

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPPOSITES = COMPARISONS | {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
A_TIME = re.compile(r"\b(now|time|times|asked|ends|age|began|begun|clock)\b|time\(\)|now\(\)|_at\b|_until\b|deadline")
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip

LOGGERS = {"_log", "log", "logger"}

SMALL = 100
"""Numbers below it count something; others are sizes and durations, of which one more has no effect."""


DONE = frozenset(("noticed", "hung", "explained"))
"""The outcomes of changes that are not judged again."""


@dataclass(frozen=True)
class Change:
    """One changed expression."""

    path: str
    """The file, relative to the repository."""

    scope: str
    """The outermost function around the expression, such as `Client.send_text`; empty outside of functions."""

    line: int
    last_line: int
    begin: int
    """Offset of the expression in the file, in bytes."""

    end: int
    before: str
    after: str
    nth: int
    """Number of equal changes before it in the same scope."""

    is_cached: bool = False
    """The results of the function are kept, so that only the first test that needs one executes the expression."""

    @property
    def key(self) -> str:
        """What identifies the change while code around it changes: 12 hexadecimal digits."""
        return self._digest("")[:12]

    @property
    def package(self) -> str:
        """The package of the file, such as `client`."""
        return Path(self.path).parts[2]

    def rank(self, seed: int) -> str:
        """Return the place of the change in the sample of a seed: a word that sorts."""
        return self._digest(str(seed))

    def _digest(self, salt: str) -> str:
        words = (salt, self.path, self.scope, " ".join(self.before.split()), self.after, str(self.nth))
        return hashlib.sha256("\0".join(words).encode()).hexdigest()


@dataclass(frozen=True)
class Result:
    """What the tests made of a change."""

    outcome: str
    """
    `noticed`, `hung` (noticed by the time limit of a run that did not end), `escaped`, `explained` (no test can notice
    it), `late` (no failure within the time of a change), or `open`.
    """

    by: str
    """The test that failed or hung; empty if none did."""

    seconds: float


class Changes(ast.NodeVisitor):
    """Collects the possible changes of a file."""

    def __init__(self, path: Path) -> None:
        self._source = path.read_bytes()
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._path = str(path.relative_to(ROOT))
        self._classes: list[str] = []
        self._scope = ""
        self._is_cached = False
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self.found: list[Change] = []
        self.visit(ast.parse(self._source))

    def _add(self, node: ast.expr, after: str) -> None:
        begin = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = self._source[begin:end].decode()
        same = (self._scope, " ".join(before.split()), after)
        change = Change(
            self._path,
            self._scope,
            node.lineno,
            node.end_lineno or 0,
            begin,
            end,
            before,
            f"({after})",
            self._seen[same],
            self._is_cached,
        )
        self._seen[same] += 1
        self.found.append(change)

    def _all(self, nodes: Sequence[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Pass by decorators and annotations, and by texts for people who debug."""
        if node.name == "__repr__":
            return
        self._all([*node.args.defaults, *node.args.kw_defaults])
        is_outermost = not self._scope
        if is_outermost:
            self._scope = ".".join((*self._classes, node.name))
            self._is_cached = any("cache" in ast.unparse(each) for each in node.decorator_list)
        self._all(node.body)
        if is_outermost:
            self._scope = ""
            self._is_cached = False

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Pass by decorators and bases."""
        self._classes.append(node.name)
        self._all(node.body)
        self._classes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Pass by the annotation."""
        self._all([node.value])

    def visit_Assign(self, node: ast.Assign) -> None:
        """Pass by aliases of types."""
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
        is_type = isinstance(node.value, ast.Subscript | ast.BinOp) and any(each[:1].isupper() for each in names)
        if "__all__" not in names and not (is_type and not all(each.isupper() for each in names)):
            self._all([node.value])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Pass by: the places of the parts are not known before Python 3.12, and most are texts for people."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """Pass by texts of errors."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Pass by: nothing should ever notice."""

    def visit_If(self, node: ast.If) -> None:
        """Negate the condition."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            self._all(node.orelse)
        else:
            self._negate(node.test)
            self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Negate the condition."""
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.UnaryOp | ast.Compare):  # Those are changed by themselves.
            self._add(test, f"not {ast.unparse(test)}" if not isinstance(test, ast.BoolOp | ast.NamedExpr)
                      else f"not ({ast.unparse(test)})")  # fmt: skip

    def visit_Compare(self, node: ast.Compare) -> None:
        """Replace the first operator; of times, by its opposite: no test meets the very moment of a boundary."""
        first = type(node.ops[0])
        operators = OPPOSITES if A_TIME.search(ast.unparse(node)) else COMPARISONS
        changed = ast.Compare(node.left, [operators[first](), *node.ops[1:]], node.comparators)
        self._add(node, ast.unparse(changed))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Exchange `and` and `or`."""
        operator: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._add(node, ast.unparse(ast.BoolOp(operator, node.values)))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Remove the operator."""
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert):
            self._add(node, ast.unparse(node.operand))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Replace the operator; double a number that is written as a product, such as a size."""
        if all(isinstance(each, ast.BinOp | ast.Constant | ast.operator) for each in ast.walk(node)):
            self._add(node, f"2 * ({ast.unparse(node)})")
            return
        if type(node.op) in OPERATORS:
            self._add(node, ast.unparse(ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Replace a truth value, a number or a word; double numbers that may be a size or a duration."""
        value = node.value
        if isinstance(value, bool):
            self._add(node, str(not value))
        elif isinstance(value, int | float):
            self._add(node, repr(value + 1 if isinstance(value, int) and value < SMALL else value * 2 or 1.0))
        elif isinstance(value, str) and value.isidentifier():
            self._add(node, repr(f"{value}_"))

    def visit_Expr(self, node: ast.Expr) -> None:
        """Remove a call whose result is not used."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Constant):
            return  # A docstring.
        if isinstance(call, ast.Call):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in LOGGERS:
                return
            self._add(node.value, "None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Leave out each argument with a name."""
        if isinstance(node.func, ast.Name) and node.func.id in {"TypeVar", "NewType", "cast"}:
            return
        for at, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                left = [*node.keywords[:at], *node.keywords[at + 1 :]]
                self._add(node, ast.unparse(ast.Call(node.func, node.args, left)))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """Return nothing instead of a value."""
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._add(node.value, "None")
        self.generic_visit(node)


def draw(seed: int, count: int, only: str) -> list[Change]:
    """
    Return changes that are drawn by a seed, in equal numbers for each package; `only` is a pattern of files.

    A change of the code elsewhere does not change the order: a sample that is judged in parts stays nearly the same.
    """
    pools: list[list[Change]] = []
    for package in FOLDERS:
        files = [path for path in (ROOT / "src/webwx" / package).rglob("*.py") if path.match(only)]
        pool = [change for path in sorted(files) for change in Changes(path).found]
        pools.append(sorted(pool, key=lambda each: each.rank(seed), reverse=True))
    drawn: list[Change] = []
    while len(drawn) < count and any(pools):
        drawn += [pool.pop() for pool in pools if pool]
    return drawn[:count]


def files_of(change: Change) -> tuple[list[str], list[str], list[str]]:
    """Return the test files of a module, those that name it, and the others that should notice its changes."""
    module = Path(change.path).relative_to("src/webwx")
    mirror = Path("tests", module).parent
    own = sorted((ROOT / mirror).glob(f"test_{module.stem}*.py"))
    name = ".".join(("webwx", *module.with_suffix("").parts))
    near: list[Path] = []
    others: list[Path] = []
    for folder in FOLDERS[module.parts[0]]:
        for path in sorted((ROOT / "tests" / folder).rglob("test_*.py")):
            if path not in own:
                (near if name in path.read_text() else others).append(path)
    return _names(own), _names(near), _names(others)


def _names(paths: Iterable[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


class Map:
    """Which tests execute a line, and how long each takes."""

    def __init__(self) -> None:
        self._durations: dict[str, float] = {}
        self._measured: dict[str, CoverageData] = {}
        for folder in {name for names in FOLDERS.values() for name in names}:
            if (report := PLACE / f"{folder}.xml").exists():
                self._durations |= durations(report)
                self._measured[folder] = CoverageData(str(PLACE / f"{folder}.coverage"))
                self._measured[folder].read()

    @staticmethod
    def measure(folder: str) -> None:
        """Run the tests of a folder, and write down which of them executes which line."""
        settings = PLACE / "coverage.ini"
        settings.write_text("[run]\nbranch = false\nsource = webwx\ndisable_warnings = module-not-measured\n")
        marks = EVERY_TEST if folder in WITH_A_DATABASE else "not verify"
        command = [
            *PYTEST, "--cov=webwx", "--cov-context=test", "--cov-report=", f"--cov-config={settings}", "-m", marks,
            "--tb=no", f"--junitxml={PLACE / folder}.xml", "-o", "junit_family=xunit1", f"tests/{folder}",
        ]  # fmt: skip
        environment = os.environ | {"COVERAGE_FILE": str(PLACE / f"{folder}.coverage")}
        subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603 - a failed test is in the map too

    def tests_of(self, change: Change) -> list[str]:
        """Return the tests that execute a change, those of its module first, then the quick ones."""
        own, near, _ = files_of(change)
        found = {context.partition("|")[0].partition("[")[0] for context in self._contexts(change) if context}

        def rank(name: str) -> tuple[int, float]:
            file = name.partition("::")[0]
            return 0 if file in own else 1 if file in near else 2, self._durations.get(name, 1)

        return sorted(found, key=rank)

    def limit_of(self, test: str) -> float:
        """Return the seconds after which a test has hung."""
        return max(HUNG_TIMES * self._durations.get(test, 0), HUNG_AT_LEAST)

    def limit_of_files(self, files: Sequence[str]) -> float:
        """Return the seconds after which a run of test files has hung; infinite if their duration is not known."""
        took = sum(seconds for name, seconds in self._durations.items() if name.partition("::")[0] in files)
        return max(HUNG_TIMES * took, HUNG_AT_LEAST) if took else math.inf

    def is_outside_of_tests(self, change: Change) -> bool:
        """Return whether a change is executed at import as well, where a fork comes too late."""
        return "" in self._contexts(change)

    def _contexts(self, change: Change) -> set[str]:
        found: set[str] = set()
        for folder in FOLDERS[Path(change.path).parts[2]]:
            measured = self._measured.get(folder)
            tests = measured.contexts_by_lineno(str(ROOT / change.path)) if measured else {}
            lines = [line for line in tests if change.line <= line <= change.last_line]
            if not lines:  # A part of a statement that begins before.
                lines = sorted(line for line in tests if line < change.line)[-1:]
            found |= {context for line in lines for context in tests[line]}
        return found


def durations(report: Path) -> dict[str, float]:
    """Return the seconds that each test of a report took, with all its parameters."""
    found: Counter[str] = Counter()
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
        file = case.get("file", "")
        classes = case.get("classname", "").removeprefix(file.removesuffix(".py").replace("/", ".")).split(".")
        name = "::".join((file, *filter(None, classes), case.get("name", "").partition("[")[0]))
        found[name] += float(case.get("time", 0))  # type: ignore[assignment]
    return dict(found)


def judge_in_forks(
    package: str, plan: dict[Change, list[str]], known: Map, seconds: float
) -> Iterator[tuple[Change, str, str, float]]:
    """Judge changes of functions in forks of one process; yield each with its outcome, its failed test and its time."""
    path = PLACE / f"plan-{package}.json"
    path.with_suffix(".results").unlink(missing_ok=True)
    path.write_text(json.dumps([
        {"key": each.key, "path": str(ROOT / each.path), "begin": each.begin, "end": each.end, "after": each.after,
         "tests": tests, "limits": [known.limit_of(test) for test in tests], "seconds": seconds}
        for each, tests in plan.items()
    ]))  # fmt: skip
    files = sorted({name.partition("::")[0] for tests in plan.values() for name in tests})
    marks = EVERY_TEST if package in WITH_A_DATABASE else "not verify"
    command = [*PYTEST, "-p", "scripts.mutate_in_forks", "-p", "no:cov", "--capture=no", "-m", marks, *files]
    process = subprocess.Popen(  # noqa: S603 - pytest, with the names of our test files
        command, cwd=ROOT, env=os.environ | {"WEBWX_MUTATE_PLAN": str(path)}, stdin=subprocess.DEVNULL,
        stdout=(PLACE / f"plan-{package}.log").open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    by_key = {each.key: each for each in plan}
    results = path.with_suffix(".results")
    at = 0
    while True:
        is_over = process.poll() is not None
        lines = results.read_text().splitlines(keepends=True) if results.exists() else []
        for line in lines[at:]:
            if line.endswith("\n"):
                at += 1
                found = json.loads(line)
                yield by_key[found["key"]], found["outcome"], found["by"], found["seconds"]
        if is_over:
            return
        time.sleep(0.2)


class Copy:
    """A copy of the repository, in which the tests of one change at a time run."""

    def __init__(self, number: int) -> None:
        self.folder = PLACE / str(number)
        shutil.rmtree(self.folder, ignore_errors=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,  # noqa: S607
            stdout=subprocess.PIPE,
        ).stdout.decode()  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)

    def run(self, tests: Sequence[str], seconds: float, marks: str) -> tuple[str, str]:
        """Run tests until one fails; return the outcome and the name of the failed test."""
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            *PYTEST, "-x", "--tb=no", "-p", "no:cov", "-m", marks, *tests,
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603 - pytest, with the names of our test files
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "late", ""
        if process.returncode in {0, 5}:
            return "escaped", ""
        failed = [line for line in output.decode(errors="replace").splitlines() if line.startswith(("FAILED", "ERROR"))]
        by = failed[0].partition(" ")[2].partition(" - ")[0] if failed else f"exit code {process.returncode} of pytest"
        return "noticed", by

    def judge(self, change: Change, known: Map, seconds: float) -> tuple[str, str]:
        """Make a change, run the tests that should notice it, and undo it."""
        path = self.folder / change.path
        original = path.read_bytes()
        ends = time.monotonic() + seconds
        marks = EVERY_TEST if Path(change.path).parts[2] in WITH_A_DATABASE else "not verify"
        path.write_bytes(original[: change.begin] + change.after.encode() + original[change.end :])
        try:
            for tests in files_of(change):
                if not tests:
                    continue
                left, limit = max(ends - time.monotonic(), 1), known.limit_of_files(tests)
                outcome, by = self.run(tests, min(left, limit), marks)
                if outcome == "late" and limit < left:
                    return "hung", tests[0]
                if outcome != "escaped":
                    return outcome, by
            return "escaped", ""
        finally:
            path.write_bytes(original)
            # A compiled file of the change would be used if it has the size and the second of the original.
            py_compile.compile(str(path), quiet=1)


class Results:
    """What is known of each change, in a file: an interrupted sample goes on where it ended."""

    def __init__(self) -> None:
        self._path = PLACE / "results.jsonl"
        self._explained = explained()
        self._known: dict[str, Result] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            found = json.loads(line)
            self._known[found["key"]] = Result(found["outcome"], found["by"], found["seconds"])

    def add(self, change: Change, outcome: str, by: str, seconds: float) -> None:
        """Store and print the result of a change."""
        result = self._known[change.key] = Result(outcome, by, seconds)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": change.key, "path": change.path} | asdict(result), ensure_ascii=False) + "\n")
        sys.stdout.write(f"{change.key} {outcome} {change.path}:{change.line}  {by}\n")
        sys.stdout.flush()

    def of(self, change: Change) -> Result:
        """Return the result of a change; its outcome is `open` if it was never judged."""
        result = self._known.get(change.key, Result("open", "", 0))
        return replace(result, outcome="explained") if self.is_explained(change) else result

    def is_explained(self, change: Change) -> bool:
        """Return whether a change has a reason in the list of those that no test can notice."""
        return change.key in self._explained


class Group(TypedDict):
    """Changes that no test can notice, for one reason."""

    reason: str
    changes: list[str]
    """The key of each change, a space, and what it is."""


def groups() -> list[Group]:
    """Return the changes that no test can notice."""
    found: list[Group] = tomllib.loads(EXPLAINED.read_text())["groups"]
    return found


def explained() -> dict[str, str]:
    """Return the reason for each change that no test can notice, by its key."""
    return {change.partition(" ")[0]: group["reason"] for group in groups() for change in group["changes"]}


def main() -> None:
    """Judge a sample of changes, and print what escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="number of changes (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="changes at once (default: processors)")
    parser.add_argument("--seconds", type=float, default=600, help="time limit of a change (default: 600)")
    parser.add_argument("--only", default="*.py", help="pattern of the files to change, such as 'client/sending/*.py'")
    parser.add_argument("--package", nargs="*", default=list(FOLDERS), help="judge the changes of these packages only")
    parser.add_argument("--keys", nargs="*", help="judge only these changes of the sample")
    parser.add_argument("--map", nargs="*", help="first find out which tests execute which line: folders of tests")
    parser.add_argument("--in-forks", action="store_true", help="leave out changes that need a process of their own")
    options = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    if options.map is not None:
        for folder in options.map or dict.fromkeys(name for names in FOLDERS.values() for name in names):
            Map.measure(folder)
        return
    results = Results()
    sample = [each for each in draw(options.seed, options.count, options.only) if each.package in options.package]
    if options.keys:
        sample = [each for each in sample if each.key in options.keys]
    open_ones = [each for each in sample if results.of(each).outcome not in DONE or options.keys]
    tests = Map()
    alone = [each for each in open_ones if not each.scope]
    for package in options.package:
        plan = {each: tests.tests_of(each) for each in open_ones if each.scope and each.package == package}
        alone += [each for each, names in plan.items() if not names]
        plan = {each: names for each, names in plan.items() if names}
        for change, outcome, by, seconds in judge_in_forks(package, plan, tests, options.seconds) if plan else ():
            is_for_later = change.is_cached or tests.is_outside_of_tests(change)
            if outcome == "unknown" or (outcome == "escaped" and is_for_later):
                alone.append(change)
            else:
                results.add(change, outcome, by, seconds)
    if not options.in_forks:
        judge_alone(alone, results, tests, options.jobs, options.seconds)
    sys.stdout.writelines(f"{line}\n" for line in summary([(each, results.of(each)) for each in sample]))


def judge_alone(changes: Sequence[Change], results: Results, known: Map, jobs: int, seconds: float) -> None:
    """Judge changes in copies of the repository, each with processes of its own."""
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(jobs if changes else 0):
        copies.put(Copy(number))

    def judge(change: Change) -> None:
        copy = copies.get()
        begun = time.monotonic()
        try:
            outcome, by = copy.judge(change, known, seconds)
        finally:
            copies.put(copy)
        results.add(change, outcome, by, round(time.monotonic() - begun, 1))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(judge, changes))


def summary(results: Sequence[tuple[Change, Result]]) -> Iterator[str]:
    """Yield the share of noticed changes for each package, and every change that has no explanation."""
    for change, result in results:
        if result.outcome not in {*DONE, "open"}:
            yield f"\n{change.key}: {result.outcome}: {change.path}:{change.line} {change.scope}"
            yield f"  - {change.before}\n  + {change.after}"
    for package in (*FOLDERS, ""):
        counts = Counter(result.outcome for change, result in results if package in {change.package, ""})
        judged = counts.total() - counts["open"]
        if judged:
            noticed = counts["noticed"] + counts["hung"]
            yield (
                f"{package or 'all'}: {noticed} of {judged} noticed ({100 * noticed / judged:.1f} %), "
                f"{counts['hung']} of them by a time limit, {counts['explained']} explained, "
                f"{counts['escaped']} escaped, {counts['late']} late; {counts['open']} not judged yet"
            )


if __name__ == "__main__":
    main()
