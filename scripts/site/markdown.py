"""Rewrite a page of docs/, which is written for CommonMark, for Python-Markdown and the site."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,})(?P<language>\w*) ?(?P<rest>.*)$")
_HEADING = re.compile(r"^(?P<marks>#{1,6}) (?P<text>.+?)$")
_ITEM = re.compile(r"^(?P<indent> *)(?P<marker>[-*]|\d+\.) +(?=\S)")
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+(?:\([^()]*\))?)\)")
_CODE = re.compile(r"(`+)(?:(?!\1).)+\1")
_SWITCH = re.compile(r"^\[(?:中文版|中文目录|English)\]\([^)]*\)$")
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


class Page(NamedTuple):
    """A page of docs/ in one language."""

    source: str
    """Where the page stands in the repository, relative to its root."""
    place: str
    """Where it stands in the site, relative to its root, in any language."""
    text: str
    """The page as it is in the repository."""


class Target(NamedTuple):
    """Where a link leads."""

    place: str
    """Place in the site, relative to its root, or an address."""
    ids: Mapping[str, str] = {}
    """Id in the site of each heading whose id in the repository is another."""


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a page, and whether each belongs to a code block."""
    marks = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if marks:
            yield line, True
            if line.strip() == marks:
                marks = ""
        elif fence:
            marks = fence["marks"]
            yield line, True
        else:
            yield line, False


def slug(heading: str) -> str:
    """Return the id of a heading, as `pymdownx.slugs.slugify` makes it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)).strip().lower().replace(" ", "-")


def headings(text: str) -> list[str]:
    """Return the texts of the headings of a page."""
    return [found["text"] for line, is_code in lines_of(text) if not is_code and (found := _HEADING.match(line))]


def ids_of(text: str) -> list[str]:
    """Return the ids of the headings of a page, as Python-Markdown numbers repeated ones."""
    ids = list[str]()
    for heading in headings(text):
        found = number = slug(heading)
        count = 0
        while number in ids:
            count += 1
            number = f"{found}_{count}"
        ids.append(number)
    return ids


def staged(page: Page, *, link: Callable[[str], Target | None], ids: list[str] | None = None) -> str:
    """
    Return the Markdown of a page for the site.

    Args:
        page: The page.
        link: Returns where a file of the repository stands; None: only the text of a link to it is kept.
        ids: Ids of the headings, for a translation; None: those that follow from the headings.
    """
    rest = iter(ids or ())
    written, nested = list[str](), _Nesting()
    for line, is_code in lines_of(page.text):
        if not is_code and _SWITCH.match(line):
            continue
        moved = nested.moved(line, is_code=is_code)
        if not is_code:
            moved = _with_links(moved, page, link)
            if ids is not None and _HEADING.match(line):
                moved = f"{moved} {{ #{next(rest)} }}"
        elif fence := _FENCE.match(moved):
            moved = _opening(fence)
        written.append(moved)
    return _joined(written) + "\n"


class _Nesting:
    """Indents what belongs to an item of a list by four spaces, as Python-Markdown demands."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        """Column at which the content of each open item begins."""
        self._was_code = False

    def moved(self, line: str, *, is_code: bool) -> str:
        """Return the next line of the page with its new indentation."""
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and not (is_code and self._was_code):
            while self._levels and indent < self._levels[-1]:
                self._levels.pop()
        self._was_code = is_code
        depth = len(self._levels)
        item = None if is_code else _ITEM.match(line)
        if item:
            self._levels.append(indent + len(item["marker"]) + 1)
            return " " * (4 * depth) + line.lstrip(" ")
        return (" " * (4 * depth) + line[self._levels[-1] if depth else 0 :]).rstrip()


def _opening(fence: re.Match[str]) -> str:
    """Return the first or last line of a code block: what follows the language is the title, or a note for tests."""
    rest = fence["rest"].strip()
    title = f' title="{rest}"' if "." in rest else ""
    return f"{fence['indent']}{fence['marks']}{' ' if title else ''}{fence['language']}{title}"


def _with_links(line: str, page: Page, link: Callable[[str], Target | None]) -> str:
    """Return a line whose links lead to pages of the site."""
    spans = [found.span() for found in _CODE.finditer(line)]

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        if any(begin < found.start() and found.end() <= end for begin, end in spans) or "://" in target:
            return found[0]
        place, _, anchor = target.partition("#")
        moved = link(
            posixpath.normpath(posixpath.join(posixpath.dirname(page.source), place)) if place else page.source
        )
        if moved is None:
            return found["text"]
        place, is_here = moved.place, moved.place == page.place
        if "://" not in place:
            place = "" if is_here and anchor else posixpath.relpath(place, posixpath.dirname(page.place) or ".")
        anchor = moved.ids.get(anchor, anchor)
        return f"{found['image']}[{found['text']}]({place}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(replaced, line)


def _joined(lines: list[str]) -> str:
    """Return the text of lines; two lines of one Chinese paragraph are joined without the space of a line break."""
    text, is_code = list[str](), False
    for line, is_code_now in lines_of("\n".join(lines)):
        before = text[-1] if text else ""
        if (
            not is_code and not is_code_now and before and line
            and _CHINESE.match(before[-1]) and not re.match(r"\s*([-*#>|]|\d+\.)", line) and not before.startswith("#")
            and not before.startswith("|")
        ):  # fmt: skip
            text[-1] = before + line.lstrip()
        else:
            text.append(line)
        is_code = is_code_now
    return "\n".join(text)
