"""
Compare the description of the API with another checkout's: `python scripts/compare_openapi.py FOLDER`.

Prints the lines that differ, and exits with 1 if there are any. The order of parameters and of keys does not count.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_DESCRIBE = """
import json
from litestar.serialization import encode_json, get_serializer
from webwx.gateway.app import route_table
routes = route_table(1)
try:
    from webwx.gateway.api.description import describe
except ImportError:  # an older checkout
    print(encode_json(routes.openapi_schema.to_schema(), get_serializer(routes.type_encoders)).decode())
else:
    print(json.dumps(describe(routes)))
"""


def description(root: Path) -> list[str]:
    """Return the lines of the description that a checkout makes."""
    found = subprocess.run(  # noqa: S603 - this interpreter, with our own text
        [sys.executable, "-c", _DESCRIBE], env={**os.environ, "PYTHONPATH": str(root / "src")}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return json.dumps(_ordered(json.loads(found.stdout)), indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def _ordered(value: Any) -> Any:
    """Return a JSON value with each list of parameters in the order of their places and names."""
    if isinstance(value, dict):
        return {key: _by_name(each) if key == "parameters" else _ordered(each) for key, each in value.items()}
    return [_ordered(each) for each in value] if isinstance(value, list) else value


def _by_name(parameters: Any) -> Any:
    if not isinstance(parameters, list):
        return _ordered(parameters)
    return sorted(map(_ordered, parameters), key=lambda each: (each.get("in", ""), each.get("name", "")))


def main() -> None:
    """Print the differences between two checkouts."""
    before, after = description(Path(sys.argv[1]).resolve()), description(Path(__file__).parents[1])
    differences = [*difflib.unified_diff(before, after, "before", "after", lineterm="", n=2)]
    sys.stdout.write("\n".join([*differences, f"{len(after):,} lines, {len(differences)} differ"]) + "\n")
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
