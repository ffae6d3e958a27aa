"""
One run of one variant, in a process of its own: told on the command line, and what it measured comes back on stdout.

    python -m benchmarks.actor '{"case": "sends", "variant": "ours", ...}'
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from benchmarks.case import PREPARE, Run
from benchmarks.cases import CASES
from benchmarks.machine import allow_connections, use_core


def main() -> None:
    """Run it."""
    told = json.loads(sys.argv[1])
    # Whatever is measured may write to stdout.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    use_core(1)
    allow_connections()
    case = CASES[told["case"]].scaled(told["scale"])
    run = Run(
        case=case, port=told["port"], control=told["control"], ca_file=told["ca_file"],
        folder=Path(told["folder"]), shared=Path(told["shared"]),
    )  # fmt: skip
    work = case.prepare if told["variant"] == PREPARE else case.variants[told["variant"]]
    assert work is not None
    answers.write(json.dumps(work(run)) + "\n")
    answers.flush()
    os._exit(0)  # threads of the peer would go on


if __name__ == "__main__":
    main()
