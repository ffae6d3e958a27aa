"""
Change one expression of the code at a time, and list the changes that no test notices.

The changes are drawn by a seed, in equal numbers for each package. Each is made in a copy of the repository, where the
tests of its module run first, then the other tests that should notice it, until one fails. A change that no test
notices is a missing test, or it changes nothing that can be observed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import py_compile
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "mutate"
"""The copies of the repository, and the results."""

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

ON_A_DATABASE = ("src/webwx/storage/postgres", "src/webwx/cluster")
"""Code whose tests need a database, and are marked `verify`."""

EVERY_TEST = "verify or not verify"

HANGING = 120
"""Seconds after which a test has failed: a change may let it wait for ever."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip

LOGGERS = {"_log", "log", "logger"}


@dataclass(frozen=True)
class Change:
    """One changed expression."""

    path: str
    """The file, relative to the repository."""

    line: int
    begin: int
    """Offset of the expression in the file, in bytes."""

    end: int
    before: str
    after: str


@dataclass(frozen=True)
class Result:
    """What the tests made of a change."""

    number: int
    """Number of the change in the sample, from 1."""

    change: Change
    outcome: str
    """`noticed`, `escaped`, or `late`: no test had failed at the end of the time."""

    by: str
    """The test that failed; empty if none did."""

    seconds: float


class Changes(ast.NodeVisitor):
    """Collects the possible changes of a file."""

    def __init__(self, path: Path) -> None:
        self._source = path.read_bytes()
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._path = str(path.relative_to(ROOT))
        self.found: list[Change] = []
        self.visit(ast.parse(self._source))

    def _add(self, node: ast.expr, after: str) -> None:
        begin = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = self._source[begin:end].decode()
        self.found.append(Change(self._path, node.lineno, begin, end, before, f"({after})"))

    def _all(self, nodes: Sequence[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Pass by decorators and annotations."""
        self._all([*node.args.defaults, *node.args.kw_defaults, *node.body])

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Pass by decorators and bases."""
        self._all(node.body)

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
        """Replace the first operator."""
        changed = ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
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
        """Replace the operator."""
        if type(node.op) in OPERATORS:
            self._add(node, ast.unparse(ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Replace a truth value, a number or a word."""
        value = node.value
        if isinstance(value, bool):
            self._add(node, str(not value))
        elif isinstance(value, int | float):
            self._add(node, repr(value + 1))
        elif isinstance(value, str) and value.isidentifier():
            self._add(node, repr(f"{value}_"))

    def visit_Expr(self, node: ast.Expr) -> None:
        """Remove a call whose result is not used."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Constant):
            return  # A docstring.
        if isinstance(call, ast.Call):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id in LOGGERS:
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
    """Return changes that are drawn by a seed, in equal numbers for each package; `only` is a pattern of files."""
    rng = random.Random(seed)  # noqa: S311 - a sample
    pools: list[list[Change]] = []
    for package in FOLDERS:
        files = [path for path in (ROOT / "src/webwx" / package).rglob("*.py") if path.match(only)]
        pool = [change for path in sorted(files) for change in Changes(path).found]
        rng.shuffle(pool)
        pools.append(pool)
    drawn: list[Change] = []
    while len(drawn) < count and any(pools):
        drawn += [pool.pop() for pool in pools if pool]
    return drawn[:count]


def tests_of(change: Change) -> tuple[list[str], list[str], list[str]]:
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
            sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header",
            "--tb=no", "--timeout", str(HANGING), "-m", marks, *tests,
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

    def judge(self, change: Change, seconds: float) -> tuple[str, str]:
        """Make a change, run the tests that should notice it, and undo it."""
        path = self.folder / change.path
        original = path.read_bytes()
        ends = time.monotonic() + seconds
        marks = EVERY_TEST if change.path.startswith(ON_A_DATABASE) else "not verify"
        path.write_bytes(original[: change.begin] + change.after.encode() + original[change.end :])
        try:
            for tests in tests_of(change):
                left = ends - time.monotonic()
                outcome, by = self.run(tests, max(left, 1), marks) if tests else ("escaped", "")
                if outcome != "escaped":
                    return outcome, by
            return "escaped", ""
        finally:
            path.write_bytes(original)
            # A compiled file of the change would be used if it has the size and the second of the original.
            py_compile.compile(str(path), quiet=1)


def main() -> None:
    """Judge a sample of changes, and print what escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="number of changes (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="changes at once (default: processors)")
    parser.add_argument("--seconds", type=float, default=600, help="time limit of a change (default: 600)")
    parser.add_argument("--only", default="*.py", help="pattern of the files to change, such as 'client/send*.py'")
    parser.add_argument("--numbers", type=int, nargs="*", help="judge only these changes of the sample")
    options = parser.parse_args()
    sample = list(enumerate(draw(options.seed, options.count, options.only), 1))
    if options.numbers:
        sample = [each for each in sample if each[0] in options.numbers]
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(options.jobs):
        copies.put(Copy(number))
    report = PLACE / f"seed-{options.seed}.jsonl"

    def judge(number: int, change: Change) -> Result:
        copy = copies.get()
        begun = time.monotonic()
        try:
            outcome, by = copy.judge(change, options.seconds)
        finally:
            copies.put(copy)
        result = Result(number, change, outcome, by, round(time.monotonic() - begun, 1))
        with report.open("a") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
        sys.stdout.write(f"{number}: {outcome} {change.path}:{change.line}  {by}\n")
        sys.stdout.flush()
        return result

    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda each: judge(*each), sample))
    sys.stdout.writelines(f"{line}\n" for line in summary(results))
    fragile = sorted({each.by for each in results if "::" in each.by})
    if fragile and copies.get().run(fragile, options.seconds, EVERY_TEST)[0] != "escaped":
        sys.stdout.write("A test that noticed a change fails without it as well: some of them may have escaped.\n")


def summary(results: Sequence[Result]) -> Iterator[str]:
    """Yield the share of noticed changes for each package, and every change that was not noticed."""
    for each in results:
        if each.outcome != "noticed":
            change = each.change
            yield f"\n{each.number}: {each.outcome}: {change.path}:{change.line}"
            yield f"  - {change.before}\n  + {change.after}"
    for package in (*FOLDERS, ""):
        of_package = [each for each in results if each.change.path.startswith(f"src/webwx/{package}")]
        counts = Counter(each.outcome for each in of_package)
        if of_package:
            share = 100 * counts["noticed"] / len(of_package)
            yield f"{package or 'all'}: {counts['noticed']} of {len(of_package)} noticed ({share:.1f} %)"


if __name__ == "__main__":
    main()
