"""A user's Python file, run as a module: the command line finds bots and scripted friends in it."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def run_file(path: Path) -> ModuleType:
    """Run a file by its absolute path and return the module; exceptions of the file pass through."""
    name = path.stem if path.stem not in sys.modules else f"{path.stem} in {path.parent}"
    spec = spec_from_loader(name, loader := SourceFileLoader(name, str(path)))
    assert spec is not None  # noqa: S101 - for the type checker: this loader says that it is no package
    module = sys.modules[name] = module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # as `python FILE` has it
    loader.exec_module(module)
    return module
