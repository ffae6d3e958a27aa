"""
A place where the real names lead to a sandbox: a network and a hosts file that nobody else on this machine sees.

The sandbox that listens on port 443 is the first process there, and the place goes away with the last. Whatever joins
it looks the platform's names up in a file as it would anywhere, finds 127.0.0.1, and cannot reach any other network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.interop.processes import WEBWX, Lines

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A new network has a loopback interface, but nobody has turned it on."""

_ASK = """
import json, sys, urllib.request
for line in sys.stdin:
    url, body = json.loads(line)
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, data=None if body is None else body.encode()))
        print(json.dumps({"answer": json.load(answer)}), flush=True)
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)
"""


def can_be_made() -> bool:
    """Say whether this machine lets us have namespaces of our own."""
    try:
        return subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Place:
    """
    A namespace with a sandbox on port 443 in it.

    Args:
        start: Starts a process that lives as long as the test.
        folder: Where its hosts file is laid.
        options: Further options of the sandbox.
    """

    def __init__(self, start: Callable[..., Lines], folder: Path, *options: str) -> None:
        self._start = start
        sandbox = [WEBWX, "sandbox", "--tls", "--port", "443", "--json", *options]
        first = start("unshare", "-mn", sys.executable, "-c", _LOOPBACK_UP, *sandbox)
        self.access: dict[str, Any] = json.loads(first.next())
        """The sandbox's first line."""
        hosts = folder / "hosts"
        hosts.write_text("\n".join(["127.0.0.1 localhost", *self.access["hosts"], ""]), "ascii")
        self._enter = ("nsenter", "--target", str(first.process.pid), "--mount", "--net", f"--wd={folder}")
        subprocess.run([*self._enter, "mount", "--bind", hosts, "/etc/hosts"], check=True)
        self._asking = self.start(sys.executable, "-c", _ASK)

    def start(self, *command: str | Path) -> Lines:
        """Start a process there."""
        return self._start(*self._enter, *command)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a process there to its end."""
        return subprocess.run([*self._enter, *command], capture_output=True, text=True, timeout=30, check=False)

    def fetch(self, url: str, body: bytes | None = None) -> Any:
        """Ask a server there, and read its JSON."""
        assert self._asking.process.stdin is not None
        self._asking.process.stdin.write(json.dumps([url, None if body is None else body.decode()]) + "\n")
        self._asking.process.stdin.flush()
        told = json.loads(self._asking.next())
        if "error" in told:
            raise OSError(told["error"])
        return told["answer"]
