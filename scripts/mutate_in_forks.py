"""
A plugin of pytest that judges changes of functions, each in a fork of the process that has collected the tests.

The import of the package and the collection of its tests happen once. A fork replaces the code of the changed function
and runs the tests that the plan names for it, until one fails.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import time
import types
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = "WEBWX_MUTATE_PLAN"
"""The environment variable with the file of the plan; the results are written beside it, one JSON document a line."""

AT_ONCE = 3
"""Number of forks at once: more than processors, because a change may let a test wait."""

Functions = dict[tuple[str, str, int], list[types.FunctionType]]
"""All functions by the file, the name and the first line of their code."""


@dataclass(frozen=True)
class Trial:
    """A change, and the tests that should notice it."""

    key: str
    path: str
    begin: int
    end: int
    after: str
    tests: list[str]
    limits: list[float]
    """For each test the seconds after which it hangs."""

    seconds: float
    """The time limit of all tests together."""

    goodbye: float = 20
    """Seconds in which the fixtures end, before the processes of a fork are killed."""


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge the changes of the plan instead of running the tests."""
    plan = Path(os.environ[PLAN])
    items: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        items[item.nodeid.partition("[")[0]].append(item)
    gc.unfreeze()
    functions = functions_by_place()
    gc.collect()
    gc.freeze()
    waiting = [Trial(**each) for each in json.loads(plan.read_text())]
    running: list[Fork] = []
    with plan.with_suffix(".results").open("a") as results:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                trial = waiting.pop(0)
                tests = [(at, item) for at, name in enumerate(trial.tests) for item in items[name]]
                running.append(Fork(session, tests, functions, trial))
            select.select(running, [], [], 0.2)
            for fork in [each for each in running if each.is_over()]:
                running.remove(fork)
                results.write(json.dumps({"key": fork.trial.key} | fork.end()) + "\n")
                results.flush()
    return True


def functions_by_place() -> Functions:
    """Return all functions that exist, also those that a decorator wraps."""
    found: Functions = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is types.FunctionType:
            code = each.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(each)
    return found


def change_function(functions: Functions, path: Path, begin: int, end: int, after: str) -> None:
    """Change an expression of a function, in all functions that have its code; raise LookupError if none has it."""
    original = path.read_bytes()
    changed = original[:begin] + after.encode() + original[end:]
    exchanged = False
    pairs = zip(_nested(compile(original, str(path), "exec", dont_inherit=True)),
                _nested(compile(changed, str(path), "exec", dont_inherit=True)), strict=True)  # fmt: skip
    for old, new in pairs:
        if _text(old) != _text(new):
            for function in functions.get((str(path), old.co_qualname, old.co_firstlineno), ()):
                function.__code__ = new
                exchanged = True
    if not exchanged:
        raise LookupError(path)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield each
            yield from _nested(each)


def _text(code: types.CodeType) -> object:
    """Return what a code does, without the lines where it stands."""
    constants = [_text(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


class Fork:
    """A process that has one change, runs its tests, and says in lines which of them runs and what came of them."""

    def __init__(
        self, session: pytest.Session, tests: list[tuple[int, pytest.Item]], functions: Functions, trial: Trial
    ) -> None:
        self.trial = trial
        self._begun = self._test_begun = time.monotonic()
        self._test = -1
        self._outcome = ""
        self._said = ""
        self._place = Path(os.environ[PLAN]).with_suffix(f".{trial.key}")
        self._answer, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDWR)
                for standard in (0, 1, 2):
                    os.dup2(nothing, standard)
                _run(session, tests, functions, trial, self._place, writing)
                os.close(writing)
                session._setupstate.teardown_exact(None)
            finally:
                os._exit(0)
        os.close(writing)

    def fileno(self) -> int:
        """Return where the fork says something."""
        return self._answer

    def is_over(self) -> bool:
        """Read what the fork has said, and return whether its outcome is known, or a time limit is over."""
        while not self._outcome and select.select([self._answer], [], [], 0)[0]:
            self._listen()
        now = time.monotonic()
        if not self._outcome and self._test >= 0 and now - self._test_begun > self.trial.limits[self._test]:
            self._outcome = f"hung:{self.trial.tests[self._test]}"
        if not self._outcome and now - self._begun > self.trial.seconds:
            self._outcome = "late:"
        return bool(self._outcome)

    def _listen(self) -> None:
        received = os.read(self._answer, 10_000).decode()
        *lines, self._said = (self._said + received).split("\n")
        for line in lines:
            word, _, value = line.partition(":")
            if word != "running":
                self._outcome = self._outcome or line
            elif int(value) != self._test:  # Not the next parameter of the same test.
                self._test, self._test_begun = int(value), time.monotonic()
        if not received:
            self._outcome = self._outcome or "noticed:the process ended"

    def end(self) -> dict[str, str | float]:
        """End the process, and return the outcome, the test that failed, and the seconds that it took."""
        took = round(time.monotonic() - self._begun, 1)
        outcome, _, by = self._outcome.partition(":")
        os.close(self._answer)
        ends = time.monotonic() + (0 if outcome in {"hung", "late"} else self.trial.goodbye)
        while time.monotonic() < ends and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            time.sleep(0.01)
        with suppress(ProcessLookupError, ChildProcessError):
            os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        shutil.rmtree(self._place, ignore_errors=True)
        return {"outcome": outcome, "by": by, "seconds": took}


class _FirstFailure:
    """Says which test failed first, before its fixtures end: one of them may hang."""

    def __init__(self, answer: int) -> None:
        self._answer = answer
        self.has_come = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.has_come:
            self.has_come = True
            _say(self._answer, f"noticed:{report.nodeid}")


def _say(answer: int, line: str) -> None:
    os.write(answer, f"{line}\n".encode())


def _run(
    session: pytest.Session,
    tests: list[tuple[int, pytest.Item]],
    functions: Functions,
    trial: Trial,
    place: Path,
    answer: int,
) -> None:
    try:
        change_function(functions, Path(trial.path), trial.begin, trial.end, trial.after)
    except (LookupError, ValueError, SyntaxError):
        _say(answer, "unknown:")  # Code that no function has, or whose closure the change needs no longer.
        return
    session.config._tmp_path_factory._given_basetemp = place  # type: ignore[attr-defined]
    first = _FirstFailure(answer)
    session.config.pluginmanager.register(first)
    items = [item for _, item in tests]
    for (at, item), following in zip(tests, [*items[1:], None], strict=True):
        _say(answer, f"running:{at}")
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if first.has_come:
            return
    _say(answer, "escaped:")
