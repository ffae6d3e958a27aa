"""Files for browsers that two pages share: the phones of the sandbox and the console of the gateway."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SHARED_FILES: dict[str, Traversable] = {
    file.name: file for file in files(__package__).iterdir() if not file.name.startswith("_") and file.is_file()
}
"""The scripts, styles and pictures, by name; each page serves them beside its own files."""
