"""Browser modules that several pages share: the phones of the sandbox and the console of the gateway."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

MODULES: dict[str, Traversable] = {
    file.name: file for file in files(__package__).iterdir() if file.name.endswith(".js")
}
"""The modules, by name; each page serves them beside its own files."""
