"""
One run of one variant in its own process: arguments on the command line, figures and late events on stdout.

The harness passes this file as text (`python -c`), because it also runs the cases of a former checkout with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

from benchmarks.case import PREPARE, Run, World
from benchmarks.cases import CASES
from benchmarks.machine import allow_connections, use_core


def main() -> None:
    """Run the variant."""
    arguments = json.loads(sys.argv[1])
    # Whatever is measured may write to stdout.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    use_core(1)
    allow_connections()
    numbers = arguments["numbers"] | {"world": World(**arguments["numbers"]["world"])}
    case = dataclasses.replace(CASES[arguments["case"]], **numbers)
    run = Run(
        case=case, port=arguments["port"], control=arguments["control"], ca_file=arguments["ca_file"],
        folder=Path(arguments["folder"]), shared=Path(arguments["shared"]),
    )  # fmt: skip
    work = case.prepare if arguments["variant"] == PREPARE else case.variants[arguments["variant"]]
    assert work is not None
    figures = work(run)
    answers.write(json.dumps({"figures": figures, "late": getattr(run, "late", [])}) + "\n")
    answers.flush()
    os._exit(0)  # threads of the peer would go on


if __name__ == "__main__":
    main()
