"""The first reads of an interpreter, by several threads at once: msgspec is not safe for them by itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
from webwx.storage.login import LoginFile

sys.setswitchinterval(1e-6)
gate = threading.Barrier(8)


def read():
    gate.wait()
    asyncio.run(LoginFile(Path(sys.argv[1])).load())


threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_read_the_first_logins_of_an_interpreter_at_once_do_not_crash_it(tmp_path: Path) -> None:
    running = []
    for number in range(8):
        damaged = tmp_path / f"{number}.json"
        damaged.touch(mode=0o600)
        damaged.write_text('{"version": 1}')
        running.append(subprocess.Popen([sys.executable, "-c", PROGRAM, str(damaged)], stderr=subprocess.PIPE))
    ends = []
    for process in running:
        process.communicate()
        ends.append(process.returncode)
    assert [end for end in ends if end < 0] == [], "a signal, such as SIGSEGV"
