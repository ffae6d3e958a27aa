"""
Parses regular expressions into trees.

It knows the syntax that the patterns of the source use, and raises `NotImplementedError` for anything else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NoReturn

CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
LIKELY = [*"xa1 <>\"'@/\\;[{", *map(chr, range(sys.maxunicode))]
"""Characters for samples: the first ones are those that a set of characters probably contains."""


@dataclass(frozen=True)
class One:
    """A place for one character: a literal, `.`, `\\d` or a set."""

    members: tuple[tuple[str, str], ...]
    """Ranges, each with its first and last character; the class `\\d` is the pair `("\\", "d")`."""
    is_negated: bool = False
    ignores_case: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether it accepts exactly the character of its sample."""
        return not self.is_negated and len(self.members) == 1 and self.members[0][0] == self.members[0][1]

    @cached_property
    def sample(self) -> str:
        """A character that it accepts."""
        return self.members[0][0] if self.is_literal else next(filter(self.accepts, LIKELY))

    def accepts(self, sign: str) -> bool:
        """Return whether it accepts a character."""
        spellings = {sign, sign.lower(), sign.upper()} if self.ignores_case else {sign}
        return any(self._has(each) is not self.is_negated for each in spellings)

    def _has(self, sign: str) -> bool:
        for first, last in self.members:
            match first, last:
                case "\\", "d" | "D":
                    is_in = sign.isdecimal() is (last == "d")
                case "\\", "s" | "S":
                    is_in = sign.isspace() is (last == "s")
                case "\\", "w" | "W":
                    is_in = (sign.isalnum() or sign == "_") is (last == "w")
                case _:
                    is_in = first <= sign <= last
            if is_in:
                return True
        return False


@dataclass(frozen=True)
class Repeat:
    """A part that is repeated."""

    inner: Sequence[Node]
    least: int
    most: int | None
    """None: without a limit."""
    kind: Literal["greedy", "lazy", "possessive"]


@dataclass(frozen=True)
class Either:
    """Alternatives."""

    branches: list[list[Node]]


@dataclass(frozen=True)
class Group:
    """A part in brackets."""

    inner: list[Node]
    number: int | None = None
    """None: the group does not capture."""
    is_atomic: bool = False


@dataclass(frozen=True)
class Look:
    """An assertion about the text after or before this place."""

    inner: list[Node]
    is_wanted: bool
    is_behind: bool


@dataclass(frozen=True)
class At:
    """An assertion about the place: `^`, `$`, `\\A`, `\\Z`, `\\b` or `\\B`."""

    where: str


@dataclass(frozen=True)
class Again:
    """The text of an earlier group."""

    number: int


Node = One | Repeat | Either | Group | Look | At | Again


def width(nodes: Sequence[Node]) -> int:
    """Return the length of the shortest text that a sequence matches."""
    total = 0
    for node in nodes:
        match node:
            case One():
                total += 1
            case Repeat():
                total += node.least * width(node.inner)
            case Either():
                total += min(map(width, node.branches))
            case Group():
                total += width(node.inner)
            case _:
                pass
    return total


def parse(pattern: re.Pattern[Any]) -> list[Node]:
    """Return the tree of a pattern; a pattern of bytes is read as one of the characters below 256."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    if pattern.flags & re.VERBOSE:
        raise NotImplementedError("re.VERBOSE")
    parser = _Parser(source, pattern)
    nodes = parser.alternatives()
    if parser.at < len(source):
        parser.refuse()
    return nodes


class _Parser:
    def __init__(self, source: str, pattern: re.Pattern[Any]) -> None:
        self.at = 0
        self._source = source
        self._names = pattern.groupindex
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._dot = () if pattern.flags & re.DOTALL else (("\n", "\n"),)
        self._groups = 0

    def refuse(self) -> NoReturn:
        raise NotImplementedError(f"{self._source[self.at :]!r} in {self._source!r}")

    def _takes(self, text: str) -> bool:
        is_there = self._source.startswith(text, self.at)
        self.at += len(text) * is_there
        return is_there

    def _take(self, length: int = 1) -> str:
        taken = self._source[self.at : self.at + length]
        self.at += length
        return taken

    def _take_to(self, end: str) -> str:
        taken = self._source[self.at : self._source.index(end, self.at)]
        self.at += len(taken) + len(end)
        return taken

    def _one(self, *members: tuple[str, str], is_negated: bool = False) -> One:
        return One(members, is_negated, self._ignores_case)

    def alternatives(self) -> list[Node]:
        branches = [self._sequence()]
        while self._takes("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else [Either(branches)]

    def _sequence(self) -> list[Node]:
        nodes: list[Node] = []
        while self.at < len(self._source) and self._source[self.at] not in "|)":
            nodes.append(self._repeated(self._item()))
        return nodes

    def _repeated(self, node: Node) -> Node:
        if self._takes("*"):
            least, most = 0, None
        elif self._takes("+"):
            least, most = 1, None
        elif self._takes("?"):
            least, most = 0, 1
        elif found := re.compile(r"\{(\d*)(?:(,)(\d*))?\}").match(self._source, self.at):
            self.at = found.end()
            least = int(found[1] or 0)
            most = (int(found[3]) if found[3] else None) if found[2] else least
        else:
            return node
        kind: Literal["greedy", "lazy", "possessive"] = "greedy"
        if self._takes("?"):
            kind = "lazy"
        elif self._takes("+"):
            kind = "possessive"
        return Repeat([node], least, most, kind)

    def _item(self) -> Node:
        match self._take():
            case "(":
                return self._bracket()
            case "[":
                return self._set()
            case ".":
                return self._one(*self._dot, is_negated=True)
            case "^" | "$" as where:
                return At(where)
            case "\\":
                return self._escape()
            case sign:
                return self._one((sign, sign))

    def _bracket(self) -> Node:
        node: Node
        if self._takes("?:"):
            node = Group(self.alternatives())
        elif self._takes("?>"):
            node = Group(self.alternatives(), is_atomic=True)
        elif self._takes("?="):
            node = Look(self.alternatives(), is_wanted=True, is_behind=False)
        elif self._takes("?!"):
            node = Look(self.alternatives(), is_wanted=False, is_behind=False)
        elif self._takes("?<="):
            node = Look(self.alternatives(), is_wanted=True, is_behind=True)
        elif self._takes("?<!"):
            node = Look(self.alternatives(), is_wanted=False, is_behind=True)
        elif self._takes("?P="):
            return Again(self._names[self._take_to(")")])
        elif self._takes("?P<") or not self._takes("?"):
            if self._source[self.at - 2 : self.at] == "P<":
                self._take_to(">")
            self._groups += 1
            number = self._groups
            node = Group(self.alternatives(), number)
        else:
            self.refuse()
        if not self._takes(")"):
            self.refuse()
        return node

    def _set(self) -> One:
        is_negated = self._takes("^")
        members: list[tuple[str, str]] = []
        while not members or self._source[self.at] != "]":
            first = self._member()
            if self._source[self.at] == "-" and self._source[self.at + 1] != "]":
                self.at += 1
                members.append((first[0], self._member()[0]))
            else:
                members.append(first)
        self.at += 1
        return self._one(*members, is_negated=is_negated)

    def _member(self) -> tuple[str, str]:
        if not self._takes("\\"):
            sign = self._take()
            return sign, sign
        node = self._escape()
        if not isinstance(node, One):
            self.refuse()
        return node.members[0]

    def _escape(self) -> Node:
        match self._take():
            case "d" | "D" | "s" | "S" | "w" | "W" as name:
                return self._one(("\\", name))
            case "b" | "B" | "A" | "Z" as where:
                return At("\\" + where)
            case "x" | "u" | "U" as name:
                sign = chr(int(self._take({"x": 2, "u": 4, "U": 8}[name]), 16))
            case digit if digit in "123456789":
                return Again(int(digit))
            case name if name in CONTROLS:
                sign = CONTROLS[name]
            case sign:
                if sign.isalnum():
                    self.refuse()
        return self._one((sign, sign))
