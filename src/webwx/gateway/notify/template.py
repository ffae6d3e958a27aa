"""
Templates for generic JSON, with fields, loops and defaults, but without code.

    {{ build.name }}: {{ build.status | default("unknown") }}
    {% for test in build.failed %}- {{ test.name }}
    {% endfor %}

A template calls no function and reads no attribute, and its output ends at `LONGEST_OUTPUT` characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from webwx.gateway.notify.request import as_string

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TEMPLATE = 16 * 1024
"""Maximum number of characters of a template."""
LONGEST_OUTPUT = 64 * 1024
"""Maximum number of characters of the output; the rest is cut off."""
MOST_STEPS = 20_000
"""Maximum number of template parts that are written; the parts of a loop count in each iteration."""
DEEPEST_LOOP = 3
"""Maximum depth of nested loops."""

_TAG = re.compile(r"\{\{([^{}]*)\}\}|\{%([^{}%]*)%\}")
_FIELD = re.compile(r'\s*([^\s|"]+)\s*(?:\|\s*default\(\s*"([^"]*)"\s*\)\s*)?\Z')
_LOOP = re.compile(r"\s*for\s+([A-Za-z_]\w*)\s+in\s+([^\s|]+)\s*\Z")
_PATH = re.compile(r"[^.\s]+(?:\.[^.\s]+)*\Z")


class InvalidTemplate(ValueError):
    """A template that cannot be used; the message of the error says why."""


class TemplateField(NamedTuple):
    """A field of the JSON, or a default where it is missing or empty."""

    path: tuple[str, ...]
    default: str


class Loop(NamedTuple):
    """A part of a template that is written once for each item of a list."""

    name: str
    path: tuple[str, ...]
    parts: tuple[str | TemplateField | Loop, ...]


class Template(NamedTuple):
    """A parsed template."""

    parts: tuple[str | TemplateField | Loop, ...]

    def render(self, value: object) -> str:
        """Fill in the fields of a decoded JSON value; a value that is not an object is the field `value`."""
        scope = value if isinstance(value, dict) else {"value": value}
        writer = _TemplateWriter()
        writer.write(self.parts, [scope])
        return "".join(writer.pieces)


def parse_template(source: str) -> Template:
    """
    Parse a template.

    Raises:
        InvalidTemplate: The template is too long, or a tag is unknown, not closed, or in the wrong place.
    """
    if len(source) > LONGEST_TEMPLATE:
        raise InvalidTemplate(f"A template has at most {LONGEST_TEMPLATE} characters.")
    open_parts: list[list[str | TemplateField | Loop]] = [[]]
    open_loops: list[tuple[str, tuple[str, ...]]] = []
    at = 0
    for tag in _TAG.finditer(source):
        open_parts[-1].append(source[at : tag.start()])
        at = tag.end()
        if tag[1] is not None:
            open_parts[-1].append(_field(tag[1]))
        elif tag[2].strip() == "endfor":
            if not open_loops:
                raise InvalidTemplate("There is an `endfor` without a loop.")
            parts = tuple(open_parts.pop())
            open_parts[-1].append(Loop(*open_loops.pop(), parts))
        else:
            open_loops.append(_loop(tag[2]))
            open_parts.append([])
            if len(open_loops) > DEEPEST_LOOP:
                raise InvalidTemplate(f"At most {DEEPEST_LOOP} loops can be nested.")
    if open_loops:
        raise InvalidTemplate(f"The loop over {'.'.join(open_loops[-1][1])} has no `endfor`.")
    open_parts[-1].append(source[at:])
    return Template(tuple(open_parts[-1]))


def _field(source: str) -> TemplateField:
    match = _FIELD.match(source)
    if match is None:
        raise InvalidTemplate('A field is `{{ path.to.field }}` or `{{ path | default("text") }}`.')
    return TemplateField(_path(match[1]), match[2] or "")


def _loop(source: str) -> tuple[str, tuple[str, ...]]:
    match = _LOOP.match(source)
    if match is None:
        raise InvalidTemplate("The only tags are `{% for item in path %}` and `{% endfor %}`.")
    return match[1], _path(match[2])


def _path(source: str) -> tuple[str, ...]:
    if not _PATH.match(source):
        raise InvalidTemplate("A path is a list of names or numbers, separated by dots.")
    return tuple(source.split("."))


class _TemplateWriter:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._room = LONGEST_OUTPUT
        self._steps = MOST_STEPS

    def write(self, parts: tuple[str | TemplateField | Loop, ...], scopes: list[Mapping[str, object]]) -> None:
        for part in parts:
            self._steps -= 1
            if self._room <= 0 or self._steps < 0:
                return
            match part:
                case str():
                    self._put(part)
                case TemplateField():
                    self._put(as_string(_look_up(part.path, scopes)) or part.default)
                case Loop():
                    items = _look_up(part.path, scopes)
                    for item in items if isinstance(items, list) else []:
                        self.write(part.parts, [*scopes, {part.name: item}])

    def _put(self, text: str) -> None:
        self.pieces.append(text[: self._room])
        self._room -= len(text)


def _look_up(path: tuple[str, ...], scopes: list[Mapping[str, object]]) -> object:
    found: object = next((scope for scope in reversed(scopes) if path[0] in scope), None)
    for name in path:
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and len(name) < 10:
            found = found[int(name)] if int(name) < len(found) else None
        else:
            return None
    return found
