"""Processes of other programs, read line by line, and their HTTP."""

from __future__ import annotations

import io
import json
import queue
import random
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image

PATIENCE = 120.0
"""Time limit in seconds for one line of a process; longer than any held poll."""

WEBWX = Path(sys.executable).with_name("webwx")

Process = subprocess.Popen[str]


class Lines:
    """A process and its lines, with a time limit for each."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def next(self) -> str:
        """Wait for a line."""
        line = self._lines.get(timeout=PATIENCE)
        assert line, f"the process has ended: {self.process.args!r}"
        return line.rstrip("\n")

    def ask(self, **command: object) -> Any:
        """Write a line of JSON, and wait for one."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command, ensure_ascii=False) + "\n")
        self.process.stdin.flush()
        return json.loads(self.next())

    def end(self) -> None:
        """Stop the process and wait for its end."""
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def fetch(url: str, body: bytes | None = None) -> Any:
    """Send a request to a server on loopback, and return its JSON."""
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=PATIENCE) as response:
        return json.loads(response.read())


def photograph(kind: str, seed: int, width: int = 640, height: int = 400) -> bytes:
    """Make a picture of noise, which does not compress well: 200 KB or more."""
    noise = random.Random(seed).randbytes(width * height * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(file, kind, quality=95)
    return file.getvalue()
