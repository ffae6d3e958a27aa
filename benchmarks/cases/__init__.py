"""All cases, by name."""

from __future__ import annotations

from benchmarks.cases import accounts, day, files, imports, login, receive, sends

CASES = {case.name: case for module in (sends, receive, login, files, accounts, imports, day) for case in module.CASES}
