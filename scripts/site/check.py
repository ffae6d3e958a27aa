"""Find what is wrong in the built pages: broken links, anchors and code blocks, requests to other hosts."""

from __future__ import annotations

import posixpath
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}
"""Attributes whose address the browser requests by itself."""


class _Links(HTMLParser):
    """Collects the ids, the links and the text of a page outside its code."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        """Addresses, and whether the browser requests each by itself."""
        self.text: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag in {"code", "pre", "script", "style"}
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            is_loaded = (tag, name) in _LOADED and not (tag == "link" and ("rel", "canonical") in attrs)
            if value and (is_loaded or (tag, name) == ("a", "href")):
                self.links.append((value, is_loaded))

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in {"code", "pre", "script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.text.append(data)


def problems(html: Path) -> list[str]:
    """Return what is wrong in a built site, a sentence each."""
    pages = {path.relative_to(html).as_posix(): _read(path) for path in sorted(html.rglob("*.html"))}
    return [f"{name}: {each}" for name, page in pages.items() for each in _problems(name, page, pages, html)]


def _read(path: Path) -> _Links:
    page = _Links()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _problems(name: str, page: _Links, pages: dict[str, _Links], html: Path) -> Iterator[str]:
    if any("```" in each for each in page.text):
        yield "a code block is not closed, or was not recognised."
    for link, is_loaded in page.links:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            if is_loaded and address.scheme != "data":
                yield f"the browser requests {link}."
            continue
        target = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), unquote(address.path)))[1:]
        if name == "404.html":
            continue
        if not address.path:
            target = name
        elif (html / target).is_dir():
            target = posixpath.join(target, "index.html")
        if not (html / target).is_file():
            yield f"the link {link} leads to no page."
        elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].ids:
            yield f"the link {link} leads to no heading."
