"""
Run `webwx` in a fork of the server of `tests/forks.py`, with this process's arguments, streams, environment and folder.

It imports only the standard library, so that it starts in a tenth of the time of `webwx`.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def ask(path: str, wanted: dict[str, object], streams: list[int]) -> socket.socket:
    """Send a request to the server at a path, and return the connection on which the answer arrives."""
    asked = socket.socket(socket.AF_UNIX)
    asked.connect(path)
    socket.send_fds(asked, [b"."], streams)
    asked.sendall(json.dumps(wanted).encode())
    asked.shutdown(socket.SHUT_WR)
    return asked


def main(path: str, *arguments: str) -> int:
    """Run `webwx` to its end and return its exit code."""
    wanted = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 - pathlib takes longer to import than this program to run
    with ask(path, wanted, [0, 1, 2]) as asked, asked.makefile("r") as answer:
        _, code = answer
    return int(code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
