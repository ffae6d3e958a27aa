"""
Imports of the benchmarks: these tests do not run most of them, so a renamed module would not be noticed otherwise.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import benchmarks

HERE = Path(benchmarks.__file__).parent
MODULES = sorted(path.relative_to(HERE.parent).with_suffix("") for path in HERE.rglob("*.py") if path.stem[0] != "_")


@pytest.mark.parametrize("module", [".".join(path.parts) for path in MODULES])
def test_every_import_of_a_benchmark_exists(module: str) -> None:
    assert import_module(module).__doc__
