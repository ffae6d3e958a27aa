"""
Counts steps: lines of Python code, and steps of patterns, which `re` does not report.

A pattern is compiled here into a program for a backtracking machine that works as the engine of `re`, and the machine
counts. It also counts what the engine skips with a table of first characters, so the counts are upper bounds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.pattern_syntax import Again, At, Either, Group, Look, Node, One, Repeat, parse, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def lines_of(work: Callable[[], object]) -> int:
    """Run a function, and return the number of lines of Python that it executes."""
    count = 0

    def note(frame: object, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Machine:
    """
    Runs one pattern.

    Args:
        pattern: The pattern.
    """

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.steps = 0
        """Steps of all runs so far."""
        self.tree = parse(pattern)
        """The parsed pattern."""
        self._is_multiline = bool(pattern.flags & re.MULTILINE)
        self._has_references = "Again" in repr(self.tree)
        self._program = self._compiled(self.tree)
        self._whole = [*self._program[:-1], ("at", "\\Z"), ("match",)]

    # -- compiling ---------------------------------------------------------------------------------------------------

    def _compiled(self, nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
        program: list[tuple[Any, ...]] = []
        self._emit(program, nodes)
        program.append(("match",))
        return program

    def _emit(self, program: list[tuple[Any, ...]], nodes: Sequence[Node]) -> None:
        for node in nodes:
            match node:
                case One():
                    program.append(("one", _Accepted(node)))
                case At(where):
                    program.append(("at", where))
                case Again(number):
                    program.append(("again", number))
                case Look(inner, is_wanted, is_behind):
                    program.append(("look", self._compiled(inner), is_wanted, width(inner) if is_behind else 0))
                case Group(inner, _, is_atomic=True):
                    program.append(("atomic", self._compiled(inner)))
                case Group(inner, number):
                    is_captured = self._has_references and number is not None
                    program += [("open", number)] * is_captured
                    self._emit(program, inner)
                    program += [("close", number)] * is_captured
                case Either(branches):
                    self._emit_branches(program, branches)
                case Repeat(kind="possessive"):
                    greedy = Repeat(node.inner, node.least, node.most, "greedy")
                    program.append(("atomic", self._compiled([greedy])))
                case Repeat():
                    self._emit_repeat(program, node)

    def _emit_branches(self, program: list[tuple[Any, ...]], branches: Sequence[Sequence[Node]]) -> None:
        ends = []
        for branch in branches[:-1]:
            split = len(program)
            program.append(())
            self._emit(program, branch)
            ends.append(len(program))
            program.append(())
            program[split] = ("split", split + 1, len(program))
        self._emit(program, branches[-1])
        for end in ends:
            program[end] = ("jump", len(program))

    def _emit_repeat(self, program: list[tuple[Any, ...]], repeat: Repeat) -> None:
        is_lazy = repeat.kind == "lazy"
        for _ in range(repeat.least):
            self._emit(program, repeat.inner)
        if repeat.most is None:
            start = len(program)
            program.append(())
            may_be_empty = width(repeat.inner) == 0
            program += [("mark", start)] * may_be_empty
            self._emit(program, repeat.inner)
            program.append(("back" if may_be_empty else "jump", start))
            ways = (start + 1, len(program))
            program[start] = ("split", *(reversed(ways) if is_lazy else ways))
            return
        splits = []
        for _ in range(repeat.most - repeat.least):
            splits.append(len(program))
            program.append(())
            self._emit(program, repeat.inner)
        for split in splits:
            ways = (split + 1, len(program))
            program[split] = ("split", *(reversed(ways) if is_lazy else ways))

    # -- running -----------------------------------------------------------------------------------------------------

    def match(self, text: str) -> int | None:
        """Match at the beginning, as `match` does, and return the end of the match."""
        return self._run(self._program, text, 0, {})

    def fullmatch(self, text: str) -> bool:
        """Match a complete text, as `fullmatch` does."""
        return self._run(self._whole, text, 0, {}) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Find all matches, as `finditer` does."""
        start = 0
        while start <= len(text):
            end = self._run(self._program, text, start, {})
            if end is None:
                start += 1
            else:
                yield start, end
                start = max(end, start + 1)

    def _run(self, program: list[tuple[Any, ...]], text: str, at: int, groups: dict[Any, Any]) -> int | None:
        waiting: list[tuple[int, int, dict[Any, Any]]] = [(0, at, groups)]
        while waiting:
            place, at, groups = waiting.pop()
            while True:
                self.steps += 1
                operation = program[place]
                place += 1
                match operation:
                    case ("one", accepted):
                        if at >= len(text) or not accepted[text[at]]:
                            break
                        at += 1
                    case ("split", first, second):
                        waiting.append((second, at, groups))
                        place = first
                    case ("jump", place):
                        pass
                    case ("mark", start):
                        groups = {**groups, ("mark", start): at}
                    case ("back", start):
                        if groups[("mark", start)] == at:  # an empty repetition is the last one
                            continue
                        place = start
                    case ("open", group):
                        groups = {**groups, ("open", group): at}
                    case ("close", group):
                        groups = {**groups, group: text[groups[("open", group)] : at]}
                    case ("again", group):
                        captured = groups.get(group)
                        if captured is None or not text.lower().startswith(captured.lower(), at):
                            break
                        at += len(captured)
                    case ("atomic", inner):
                        end = self._run(inner, text, at, groups)
                        if end is None:
                            break
                        at = end
                    case ("look", inner, is_wanted, width):
                        is_there = at >= width and self._run(inner, text, at - width, groups) is not None
                        if is_there is not is_wanted:
                            break
                    case ("at", where):
                        if not self._is_at(where, text, at):
                            break
                    case _:
                        return at
        return None

    def _is_at(self, where: str, text: str, at: int) -> bool:
        match where:
            case "^" | "\\A":
                return at == 0 or (where == "^" and self._is_multiline and text[at - 1] == "\n")
            case "\\Z":
                return at == len(text)
            case "$":
                is_line_end = at < len(text) and text[at] == "\n"
                return at == len(text) or (is_line_end and (self._is_multiline or at == len(text) - 1))
            case _:
                words = [0 <= each < len(text) and (text[each].isalnum() or text[each] == "_") for each in (at - 1, at)]
                return (words[0] != words[1]) is (where == "\\b")


class _Accepted(dict[str, bool]):
    """Whether a place in a pattern accepts a character."""

    def __init__(self, place: One) -> None:
        self._place = place

    def __missing__(self, sign: str) -> bool:
        self[sign] = self._place.accepts(sign)
        return self[sign]


# -- texts for which a pattern may need many steps ---------------------------------------------------------------------


class Shape(NamedTuple):
    """A text of any length: a beginning, and a part that is repeated after it."""

    beginning: str
    again: str

    def text(self, length: int, times: int) -> str:
        """Return a text that is this many times as long, with an end that matches nothing."""
        return self.beginning + self.again * (max(4, length // len(self.again)) * times) + "\0"


def shapes_of(tree: Sequence[Node]) -> set[Shape]:
    """Return texts that begin like a match of a pattern and never complete it, or have many beginnings of a match."""
    parts = [part for part in _sample(tree) if part]
    cuts = [0, *accumulate(map(len, parts))]
    sample = "".join(parts)
    shapes = {Shape("", sample[start:end]) for start in cuts for end in cuts if start < end}
    shapes |= {Shape(sample[:end], sign) for end in cuts[:-1] for sign in (sample[end], " ")}
    return shapes | {Shape(sample[:end], sample[end:-1]) for end in cuts if end < len(sample) - 1}


def _sample(tree: Sequence[Node]) -> list[str]:
    """Return a short text that a pattern matches, or nearly, in parts; adjacent literals are one part."""
    parts = [""]
    is_run = False
    for node in tree:
        was_run, is_run = is_run, isinstance(node, One) and node.is_literal
        match node:
            case One() if was_run and is_run:
                parts[-1] += node.sample
            case One():
                parts.append(node.sample)
            case Either(branches):
                parts += _sample(branches[0])
            case Group(inner):
                parts += _sample(inner)
            case Repeat(inner, least):
                parts += _sample(inner) * max(1, least)
            case _:
                pass
    return parts


def longest_repeat(tree: Sequence[Node]) -> int:
    """Return the highest limit of a repetition in a pattern; nested ones are multiplied, and the lowest value is 1."""
    most = 1
    for node in tree:
        match node:
            case Either(branches):
                most = max(most, *map(longest_repeat, branches))
            case Group(inner) | Look(inner):
                most = max(most, longest_repeat(inner))
            case Repeat(inner, least, limit):
                most = max(most, (least if limit is None else limit) * longest_repeat(inner))
            case _:
                pass
    return most
