"""
A namespace where the real names lead to a sandbox: a network and a hosts file that the rest of this machine does not
see.

The sandbox that listens on port 443 is its first process, and the namespace ends with the last one. A process in it
looks the platform's names up in the hosts file as usual, finds 127.0.0.1, and cannot reach any other network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.interop.processes import PATIENCE, WEBWX, Lines

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A new network has a loopback interface, which must be brought up."""

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
    """Return whether this machine allows us to create namespaces."""
    try:
        return subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Place:
    """
    A namespace with a sandbox on port 443.

    Args:
        start: Starts a process that ends with the test.
        folder: Folder for its hosts file.
        options: Further options of the sandbox.
    """

    def __init__(self, start: Callable[..., Lines], folder: Path, *options: str) -> None:
        self._start = start
        sandbox = [WEBWX, "sandbox", "--tls", "--port", "443", "--json", *options]
        first = start("unshare", "-mn", sys.executable, "-c", LOOPBACK_UP, *sandbox)
        self.access: dict[str, Any] = json.loads(first.next())
        """The first line that the sandbox prints."""
        hosts = folder / "hosts"
        hosts.write_text("\n".join(["127.0.0.1 localhost", *self.access["hosts"], ""]), "ascii")
        self._enter = ("nsenter", "--target", str(first.process.pid), "--mount", "--net", f"--wd={folder}")
        subprocess.run([*self._enter, "mount", "--bind", hosts, "/etc/hosts"], check=True)
        self._asking = self.start(sys.executable, "-c", _ASK)

    def start(self, *command: str | Path) -> Lines:
        """Start a process in the namespace."""
        return self._start(*self._enter, *command)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a process in the namespace until it ends."""
        return subprocess.run([*self._enter, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)

    def fetch(self, url: str, body: bytes | None = None) -> Any:
        """Send a request to a server in the namespace, and return its JSON."""
        assert self._asking.process.stdin is not None
        self._asking.process.stdin.write(json.dumps([url, None if body is None else body.decode()]) + "\n")
        self._asking.process.stdin.flush()
        answer = json.loads(self._asking.next())
        if "error" in answer:
            raise OSError(answer["error"])
        return answer["answer"]
