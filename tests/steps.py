"""
Counts steps: of Python code, and of patterns, whose engine tells nobody what it does.

A pattern is compiled here into the same program of a backtracking machine that `re` makes of it, and run by a machine
that counts. What `re` skips with a table of first characters is counted as well, so the counts are upper bounds.
"""

from __future__ import annotations

import re
import sys
from itertools import accumulate
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def lines_of(work: Callable[[], object]) -> int:
    """Run some work, and count the lines of Python that it goes through."""
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
        pattern: Which.
    """

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.steps = 0
        self.tree = parser.parse(pattern.pattern, pattern.flags)
        self._is_multiline = bool(pattern.flags & re.MULTILINE)
        self._flags = pattern.flags
        self._has_references = "GROUPREF" in repr(self.tree)
        self._program = self._compiled(self.tree)
        self._whole = [*self._program[:-1], ("at", codes.AT_END_STRING), ("match",)]

    # -- compiling ---------------------------------------------------------------------------------------------------

    def _compiled(self, tree: Any) -> list[tuple[Any, ...]]:
        program: list[tuple[Any, ...]] = []
        self._emit(program, tree)
        program.append(("match",))
        return program

    def _emit(self, program: list[tuple[Any, ...]], tree: Any) -> None:
        for op, argument in tree:
            match op:
                case codes.BRANCH:
                    ends = []
                    for branch in argument[1][:-1]:
                        split = len(program)
                        program.append(())
                        self._emit(program, branch)
                        ends.append(len(program))
                        program.append(())
                        program[split] = ("split", split + 1, len(program))
                    self._emit(program, argument[1][-1])
                    for end in ends:
                        program[end] = ("jump", len(program))
                case codes.SUBPATTERN:
                    group, _, _, inner = argument
                    program += [("open", group)] * self._has_references
                    self._emit(program, inner)
                    program += [("close", group)] * self._has_references
                case codes.ATOMIC_GROUP:
                    program.append(("atomic", self._compiled(argument)))
                case codes.POSSESSIVE_REPEAT:
                    inner = parser.SubPattern(tree.state, [(codes.MAX_REPEAT, argument)])
                    program.append(("atomic", self._compiled(inner)))
                case codes.MAX_REPEAT | codes.MIN_REPEAT:
                    self._emit_repeat(program, argument, is_lazy=op is codes.MIN_REPEAT)
                case codes.ASSERT | codes.ASSERT_NOT:
                    direction, inner = argument
                    width = inner.getwidth()[0] if direction < 0 else 0
                    program.append(("look", self._compiled(inner), op is codes.ASSERT, width))
                case codes.AT:
                    program.append(("at", argument))
                case codes.GROUPREF:
                    program.append(("again", argument))
                case _:
                    program.append(("one", _Signs(op, argument, self._flags)))

    def _emit_repeat(self, program: list[tuple[Any, ...]], argument: Any, *, is_lazy: bool) -> None:
        least, most, inner = argument
        for _ in range(least):
            self._emit(program, inner)
        if most is codes.MAXREPEAT:
            start = len(program)
            program.append(())
            may_be_empty = inner.getwidth()[0] == 0
            program += [("mark", start)] * may_be_empty
            self._emit(program, inner)
            program.append(("back" if may_be_empty else "jump", start))
            ways = (start + 1, len(program))
            program[start] = ("split", *(reversed(ways) if is_lazy else ways))
            return
        splits = []
        for _ in range(most - least):
            splits.append(len(program))
            program.append(())
            self._emit(program, inner)
        for split in splits:
            ways = (split + 1, len(program))
            program[split] = ("split", *(reversed(ways) if is_lazy else ways))

    # -- running -----------------------------------------------------------------------------------------------------

    def match(self, text: str) -> int | None:
        """Match at the beginning, as `match` does; gives where the match ends."""
        return self._run(self._program, text, 0, {})

    def fullmatch(self, text: str) -> bool:
        """Match all of a text, as `fullmatch` does."""
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
                    case ("one", signs):
                        if at >= len(text) or not signs[text[at]]:
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
                        if groups[("mark", start)] == at:  # an empty round is the last one
                            continue
                        place = start
                    case ("open", group):
                        groups = {**groups, ("open", group): at}
                    case ("close", group):
                        groups = {**groups, group: text[groups[("open", group)] : at]}
                    case ("again", group):
                        said = groups.get(group)
                        if said is None or not text.lower().startswith(said.lower(), at):
                            break
                        at += len(said)
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

    def _is_at(self, where: Any, text: str, at: int) -> bool:
        match where:
            case codes.AT_BEGINNING | codes.AT_BEGINNING_STRING:
                return at == 0 or (self._is_multiline and text[at - 1] == "\n")
            case codes.AT_END | codes.AT_END_STRING:
                return at == len(text) or (where is codes.AT_END and at == len(text) - 1 and text[at] == "\n")
            case codes.AT_BOUNDARY | codes.AT_NON_BOUNDARY:
                words = [0 <= each < len(text) and (text[each].isalnum() or text[each] == "_") for each in (at - 1, at)]
                return (words[0] != words[1]) is (where is codes.AT_BOUNDARY)
            case _:
                raise NotImplementedError(where)


class _Signs(dict[str, bool]):
    """Which signs a place in a pattern takes."""

    def __init__(self, op: Any, argument: Any, flags: int) -> None:
        self._op = op
        self._argument = argument
        self._takes_newlines = bool(flags & re.DOTALL)
        self._ignores_case = bool(flags & re.IGNORECASE)

    def __missing__(self, sign: str) -> bool:
        spellings = {sign, sign.lower(), sign.upper()} if self._ignores_case else {sign}
        self[sign] = any(map(self._takes, spellings))
        return self[sign]

    def _takes(self, sign: str) -> bool:
        match self._op:
            case codes.LITERAL:
                return sign == chr(self._argument)
            case codes.NOT_LITERAL:
                return sign != chr(self._argument)
            case codes.ANY:
                return self._takes_newlines or sign != "\n"
            case codes.IN:
                return _is_in(self._argument, sign)
            case _:
                raise NotImplementedError(self._op)


def _is_in(members: Any, sign: str) -> bool:
    code = ord(sign)
    is_wanted, found = True, False
    for op, argument in members:
        match op:
            case codes.NEGATE:
                is_wanted = False
            case codes.LITERAL:
                found = found or code == argument
            case codes.RANGE:
                found = found or argument[0] <= code <= argument[1]
            case codes.CATEGORY:
                found = found or _is_of(argument, sign)
            case _:
                raise NotImplementedError(op)
    return found is is_wanted


def _is_of(category: Any, sign: str) -> bool:
    name = str(category).removeprefix("CATEGORY_")
    is_of = {"DIGIT": sign.isdecimal(), "SPACE": sign.isspace(), "WORD": sign.isalnum() or sign == "_"}
    return not is_of[name.removeprefix("NOT_")] if name.startswith("NOT_") else is_of[name]


# -- what a pattern may be made to stumble over ------------------------------------------------------------------------


class Shape(NamedTuple):
    """A text that grows: a beginning, and what is said again and again behind it."""

    beginning: str
    again: str

    def text(self, length: int, times: int) -> str:
        """A text that many times as long, with an end that fits nothing."""
        return self.beginning + self.again * (max(4, length // len(self.again)) * times) + "\0"


def shapes_of(tree: Any) -> set[Shape]:
    """Make texts that begin like a match of a pattern and never get there, or that hold many of its beginnings."""
    parts = [part for part in _sample(tree) if part]
    cuts = [0, *accumulate(map(len, parts))]
    sample = "".join(parts)
    shapes = {Shape("", sample[start:end]) for start in cuts for end in cuts if start < end}
    shapes |= {Shape(sample[:end], sign) for end in cuts[:-1] for sign in (sample[end], " ")}
    return shapes | {Shape(sample[:end], sample[end:-1]) for end in cuts if end < len(sample) - 1}


def _sample(tree: Any) -> list[str]:
    """Make a short text that a pattern fits, or nearly; letters that stand together in the pattern are one part."""
    parts = [""]
    is_run = False
    for op, argument in tree:
        is_run, was_run = op is codes.LITERAL, is_run
        match op:
            case codes.LITERAL if was_run:
                parts[-1] += chr(argument)
            case codes.LITERAL:
                parts.append(chr(argument))
            case codes.NOT_LITERAL | codes.ANY:
                parts.append("x")
            case codes.IN:
                parts.append(next(sign for sign in map(chr, _LIKELY) if _is_in(argument, sign)))
            case codes.BRANCH:
                parts += _sample(argument[1][0])
            case codes.SUBPATTERN:
                parts += _sample(argument[3])
            case codes.ATOMIC_GROUP:
                parts += _sample(argument)
            case codes.MAX_REPEAT | codes.MIN_REPEAT | codes.POSSESSIVE_REPEAT:
                parts += _sample(argument[2]) * max(1, argument[0])
            case _:
                pass
    return parts


_LIKELY = [*map(ord, "xa1 <>\"'@/\\;[{"), *range(sys.maxunicode)]


def longest_repeat(tree: Any) -> int:
    """Give the highest number of times that something in a pattern may come again, where there is one."""
    most = 1
    for op, argument in tree:
        match op:
            case codes.BRANCH:
                most = max(most, *map(longest_repeat, argument[1]))
            case codes.SUBPATTERN:
                most = max(most, longest_repeat(argument[3]))
            case codes.ATOMIC_GROUP:
                most = max(most, longest_repeat(argument))
            case codes.ASSERT | codes.ASSERT_NOT:
                most = max(most, longest_repeat(argument[1]))
            case codes.MAX_REPEAT | codes.MIN_REPEAT | codes.POSSESSIVE_REPEAT:
                times = argument[0] if argument[1] is codes.MAXREPEAT else argument[1]
                most = max(most, times * longest_repeat(argument[2]))
            case _:
                pass
    return most
