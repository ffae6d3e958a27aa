"""
Text rules take a number of steps in proportion to the length of a text, not to its square. Steps are counted, not
seconds.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.steps import Machine, Shape, lines_of, longest_repeat, shapes_of

import webwx
from webwx.model import notices
from webwx.model.events import Item, event_from_item, event_to_json, identify
from webwx.protocol.codes import MessageType
from webwx.storage.tokenizer import cut, searchable_text

SOURCE = Path(webwx.__file__).parent


class Used(NamedTuple):
    """A pattern and the method by which the source uses it."""

    pattern: re.Pattern[Any]
    how: str
    """`fullmatch` or `match`; any other method searches the whole text."""


def patterns() -> dict[str, Used]:
    """Return every pattern of the source by its place."""
    found: dict[str, Used] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if re.search(r"\bre\.", source) else ():
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=ast.Call(func=ast.Attribute(ast.Name("re"))) as call):
                    called = set(re.findall(rf"\b{name}\.(\w+)\(", source))
                case ast.Call(func=ast.Attribute(ast.Name("re"), way)) as call:
                    called = {way} - {"compile"}
                case _:
                    continue
            match call.args:
                case [ast.Constant(written), *_] if called:
                    flags = re.NOFLAG
                    for flag in ast.walk(call):
                        if isinstance(flag, ast.Attribute) and flag.attr.isupper():
                            flags |= getattr(re, flag.attr)
                    how = next((way for way in ("fullmatch", "match") if called == {way}), "finditer")
                    place = f"{file.relative_to(SOURCE)}:{call.lineno}"
                    found[place] = Used(re.compile(written, flags), how)
    return found


PATTERNS = patterns() | {
    f"model/notices.py, {pattern.pattern}": Used(pattern, "fullmatch")
    for value in vars(notices).values()
    if isinstance(value, tuple)
    for pattern in chain.from_iterable(each for each in value if isinstance(each, tuple))
    if isinstance(pattern, re.Pattern)
}


def quadratic(used: Used) -> list[tuple[Shape, list[int]]]:
    """Return the texts for which the steps of a pattern grow faster than the text."""
    machine = Machine(used.pattern)
    length = max(40, 2 * longest_repeat(machine.tree))
    found = []
    for shape in shapes_of(machine.tree):
        counts = []
        for times in (2, 4):
            before = machine.steps
            text = shape.text(length, times)
            if used.how == "finditer":
                deque(machine.spans(text), maxlen=0)
            else:
                getattr(machine, used.how)(text)
            counts.append(machine.steps - before)
        if counts[1] > 3 * counts[0] + 100:
            found.append((shape, counts))
    return found


@pytest.mark.parametrize(
    ("pattern", "is_quadratic"),
    [
        (r"<a\b[^>]*>(.*?)</a>", True),
        (r"\s*,", True),
        (r"(a|b)*c", True),
        (r"<a\b[^<>]*>", False),
        (r"\$(\w{1,8})\$", False),
        (r'"(?:[^"\\]|\\.)*+"?', False),
    ],
)
def test_the_counter_recognises_a_quadratic_pattern(pattern: str, is_quadratic: bool) -> None:
    assert bool(quadratic(Used(re.compile(pattern), "finditer"))) is is_quadratic


@pytest.mark.parametrize(("pattern", "text"), [(r"(a+)(b|c)*?d\1", "xaabcbdaay"), (r"(?<!x)a{2,3}(?!b)", "xaaaab aac")])
def test_the_counter_finds_the_same_matches_as_re(pattern: str, text: str) -> None:
    compiled = re.compile(pattern)
    assert [found.span() for found in compiled.finditer(text)] == list(Machine(compiled).spans(text))


@pytest.mark.parametrize("place", PATTERNS)
def test_the_counter_finds_the_same_matches_as_re_for_each_pattern(place: str) -> None:
    pattern = PATTERNS[place].pattern
    machine = Machine(pattern)
    for shape in shapes_of(machine.tree):
        text = shape.text(20, 1)
        written = text if isinstance(pattern.pattern, str) else text.encode("latin-1")
        assert [found.span() for found in pattern.finditer(written)] == list(machine.spans(text))


@pytest.mark.parametrize("place", PATTERNS)
def test_a_pattern_takes_linear_steps(place: str) -> None:
    assert quadratic(PATTERNS[place]) == []


# -- whole messages --------------------------------------------------------------------------------------------------

TEMPLATE = "<sysmsg type='sysmsgtemplate'><sysmsgtemplate><content_template><template>"
RECORD = "<msg><appmsg><type>19</type><recorditem>&lt;recordinfo&gt;&lt;datalist&gt;"

HOSTILE = {
    "tags": Shape("", "<a>"),
    "open tags": Shape("", "<a "),
    "links": Shape("", "<a>x</a>"),
    "escaped tags": Shape("", "&lt;a&gt;"),
    "signs": Shape("", "&"),
    "CDATA": Shape("", "<![CDATA["),
    "emoji": Shape("", '<span class="emoji emoji1f602"></span>'),
    "broken emoji": Shape("", '<span class="emoji emoji'),
    "breaks": Shape("", "<br >"),
    "elements": Shape("<msg><appmsg>", "<a/>"),
    "attributes": Shape("<msg ", 'b="" '),
    "items": Shape("<msg><appmsg><mmreader><category>", "<item/>"),
    "records": Shape(RECORD, "&lt;dataitem/&gt;"),
    "placeholders": Shape(TEMPLATE, "$a$"),
    "quotes": Shape("", '"邀请你和"'),
    "invitations": Shape("", "x invited you and "),
    "mentions": Shape("", "@a"),
    "accents": Shape("a", "\u0315\u0316"),
}
"""Contents that a hostile sender may write."""


def decoded(content: str, kind: int) -> None:
    """Decode a message and do with it all that happens before a handler gets it."""
    fields = {"MsgId": "1", "FromUserName": "@a", "ToUserName": "@me", "MsgType": kind, "Content": content}
    item = Item(kind="message", raw=msgspec.Raw(msgspec.json.encode(fields)))
    arrived = identify(item, "@me")
    event = event_from_item(item, "@me", arrived.read)
    assert len(event_to_json(event)) < 12 * len(item.raw) + 1_000
    cut(searchable_text(event))


@pytest.mark.parametrize("kind", [*sorted(MessageType), 4242])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_message_takes_steps_in_proportion_to_its_length(hostile: str, kind: int) -> None:
    beginning, again = HOSTILE[hostile]
    counts = [lines_of(partial(decoded, beginning + again * times, kind)) for times in (200, 400, 800)]
    assert counts[2] <= 2.5 * counts[1] + 100 <= 6.25 * counts[0] + 350
