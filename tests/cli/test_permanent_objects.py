"""What garbage collections do not visit."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

from webwx.cli.permanent_objects import exempt_from_collections

SOURCE = Path(__file__).parents[2] / "src" / "webwx"


def test_objects_that_exist_are_exempt_and_garbage_is_not() -> None:
    class Node:
        def __init__(self) -> None:
            self.own = self

    Node()
    living = [Node()]
    before = gc.get_freeze_count()
    try:
        exempt_from_collections()
        assert gc.get_freeze_count() > before
        assert [each for each in gc.get_objects() if isinstance(each, Node)] == []
    finally:
        gc.unfreeze()
    assert [each for each in gc.get_objects() if isinstance(each, Node)] == living


def test_the_end_of_a_command_visits_no_object() -> None:
    program = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > 1_000 > len(gc.get_objects())))
sys.argv = ["webwx", "--version"]
from webwx.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_the_collector_of_a_users_process_is_left_alone() -> None:
    """Only a command, and the gateway, change how the collector works."""
    changing = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if any(line.strip() == "import gc" for line in path.read_text(encoding="utf-8").splitlines())
    ]
    assert sorted(changing) == ["cli/permanent_objects.py", "gateway/process/full_collections.py"]
