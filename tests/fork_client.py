"""
Run `webwx` in a fork of the server of `tests/forks.py`, with this process's arguments, streams, environment and folder.

It imports only the standard library, so that it starts in a tenth of the time of `webwx`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

TYPE_CHECKING = False  # that of `typing`, which takes longer to import than this program to run
if TYPE_CHECKING:
    from collections.abc import Mapping

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that the fork gets in place of this process; a process that is killed leaves no fork either."""


def ask(path: str, wanted: Mapping[str, object], streams: list[int]) -> socket.socket:
    """
    Send a request to the server at a path, and return the connection on which the answer arrives.

    The server kills the fork when the connection is closed.
    """
    asked = socket.socket(socket.AF_UNIX)
    asked.connect(path)
    socket.send_fds(asked, [b"."], streams)
    asked.sendall(json.dumps(wanted).encode() + b"\n")
    return asked


def main(path: str, *arguments: str) -> int:
    """Run `webwx` to its end, forward signals to it, and return its exit code."""
    wanted = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 - pathlib takes longer to import than this program to run
    with ask(path, wanted, [0, 1, 2]) as asked, asked.makefile("r") as answer:
        fork = int(answer.readline())
        for each in FORWARDED:
            signal.signal(each, lambda number, frame: os.kill(fork, number))
        return _of_shell(int(answer.readline()))


def _of_shell(code: int) -> int:
    """Return an exit code as shells write it: 128 and its number for a signal."""
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
