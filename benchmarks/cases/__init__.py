"""All cases, by name."""

from __future__ import annotations

from benchmarks.cases import (
    accounts,
    cluster,
    day,
    files,
    gateway,
    growth,
    history,
    imports,
    login,
    pages,
    postgres,
    receive,
    sends,
    stages,
)

_MODULES = (
    sends,
    receive,
    login,
    files,
    accounts,
    gateway,
    imports,
    day,
    stages,
    postgres,
    cluster,
    history,
    pages,
    growth,
)

CASES = {case.name: case for module in _MODULES for case in module.CASES}
