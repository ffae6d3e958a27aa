"""The adapter that docs/development/adapter.md builds, in a package that a test makes from the page."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.adapters.registry import AdapterEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "development" / "adapter.md"

PACKAGE = "toy_note_adapter"
"""Name of the package, which the page has below `webwx.gateway.adapters`."""

_BLOCK = re.compile(r"^( *)```python no-run\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    """Return the code of the page, block by block, without the indentation of its list."""
    found = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return [re.sub(f"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def build(folder: Path) -> dict[str, AdapterEntry]:
    """Write the package into a folder, and return the registry with its row."""
    *parts, row = blocks()
    package = folder / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text('"""Notes."""\n')
    (package / "adapter.py").write_text("\n".join(parts), encoding="utf-8")
    entries: dict[str, AdapterEntry] = {}
    exec(row, {"ADAPTERS": entries, "AdapterEntry": AdapterEntry})
    place = entries["note"].place.replace("webwx.gateway.adapters.note", PACKAGE)
    return {"note": msgspec.structs.replace(entries["note"], place=place)}


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Make the package of a folder importable, and forget it afterwards."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
