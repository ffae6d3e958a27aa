"""Progress of a transfer or a copy: one line on stderr, on a terminal only, removed at the end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from webwx.cli.language import _
from webwx.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webwx.client.sending.media import Progress

_WIDTH = 30
_MIB = 1024 * 1024


@contextmanager
def shown_progress(label: str, stream: TextIO | None = None) -> Iterator[Progress | None]:
    """Return a progress callback for one transfer; None without a terminal."""
    with _line(stream) as show:
        yield show and (lambda done, whole: show(f"{printable(label)}  {bar(done, whole)}"))


@contextmanager
def shown_rows(stream: TextIO | None = None) -> Iterator[Callable[[str, int], object]]:
    """Return a progress callback for a copy, called with a name and a count; it prints nothing without a terminal."""
    with _line(stream) as show:
        yield (lambda what, count: show(f"{what}: {count:,}")) if show else (lambda *_: None)


@contextmanager
def shown_files(stream: TextIO | None = None) -> Iterator[Callable[[str, int, int], object]]:
    """Return a progress callback for files, called with a path, its number and how many; silent without a terminal."""
    with _line(stream) as show:
        yield (
            (lambda path, number, count: show(f"{number:,}/{count:,}  {printable(path)}"))
            if show
            else (lambda *_: None)
        )


@contextmanager
def _line(stream: TextIO | None) -> Iterator[Callable[[str], object] | None]:
    """Return a function that replaces a line on a terminal, and clear the line at the end; None without a terminal."""
    watched: TextIO | None = stream or sys.stderr
    if watched is None or not watched.isatty():
        yield None
        return

    def show(text: str) -> None:
        watched.write(f"\r\x1b[K{text}")
        watched.flush()

    try:
        yield show
    finally:
        show("")


def bar(done: int, whole: int) -> str:
    """Show the progress, or the bytes so far if the total is unknown."""
    if not whole:
        return f"{done / _MIB:.1f} MiB"
    full = min(_WIDTH, done * _WIDTH // whole)
    sizes = _("{done:.1f} of {whole:.1f} MiB").format(done=done / _MIB, whole=whole / _MIB)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {sizes}"
