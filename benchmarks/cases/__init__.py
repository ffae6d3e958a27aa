"""All cases, by name."""

from __future__ import annotations

from benchmarks.cases import receive, sends

CASES = {case.name: case for module in (sends, receive) for case in module.CASES}
