"""
`webwx` many times over, without importing it each time.

A server that has imported every command forks for each one that is asked for: a process with its own environment,
folder, streams and exit code, for a tenth of the CPU time. Such a command flushes its streams, waits for its threads
and collects what it left, and then ends without taking the imported modules apart, which would take three times as
long as most commands. Tests that start `webwx` otherwise see it begin and end as users do.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NoReturn

from webwx import cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALSO = (
    "aiohttp",
    "webwx.client.client",
    "webwx.client.blocking",
    "webwx.sandbox.serve",
    "webwx.storage.sqlite.journal",
)
"""What commands import late, and nearly every one of them does."""

ONLY_AT_THE_START = ("PYTHON", "LD_", "LC_", "LANG")
"""Variables that a process looks at before it runs anything of ours."""


class Forks:
    """The server, and what asks it."""

    def __init__(self) -> None:
        self._path = tempfile.mktemp(prefix="webwx-forks-")
        self._server = subprocess.Popen([sys.executable, "-m", __name__, self._path], stdout=subprocess.PIPE)
        assert self._server.stdout is not None
        self._server.stdout.readline()

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        self._server.communicate()
        Path(self._path).unlink(missing_ok=True)

    def run(
        self, arguments: list[str], stdin: bytes, environment: dict[str, str], patience: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, as `subprocess.run` does."""
        with ExitStack() as stack:
            streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            streams[0].write(stdin)
            streams[0].seek(0)
            told = stack.enter_context(self._ask(arguments, environment, streams, patience))
            number = int(told.readline())
            try:
                code = int(told.readline())
            except TimeoutError:
                os.kill(number, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, patience, _all(streams[1]), _all(streams[2])) from None
            return subprocess.CompletedProcess(arguments, code, _all(streams[1]), _all(streams[2]))

    @contextmanager
    def running(self, arguments: list[str], environment: dict[str, str], patience: float) -> Iterator[BinaryIO]:
        """Run a command beside a test and end it afterwards; gives what it prints on stdout."""
        reading, writing = os.pipe()
        with ExitStack() as stack:
            printed = stack.enter_context(os.fdopen(reading, "rb"))
            with Path(os.devnull).open("rb") as nothing, os.fdopen(writing, "wb") as stdout:
                streams = [nothing, stdout, sys.__stderr__]
                told = stack.enter_context(self._ask(arguments, environment, streams, patience))
            number = int(told.readline())
            try:
                yield printed
            finally:
                os.kill(number, signal.SIGTERM)
                told.readline()  # its exit code, which comes when it has ended

    @contextmanager
    def _ask(
        self, arguments: list[str], environment: dict[str, str], streams: Sequence[IO[Any]], patience: float
    ) -> Iterator[BinaryIO]:
        """Ask for a command; gives what the server says of it: its process id, and at its end its exit code."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(self._path)
            socket.send_fds(asked, [b"."], [stream.fileno() for stream in streams])
            asked.sendall(
                json.dumps({"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}).encode()
            )
            asked.shutdown(socket.SHUT_WR)
            asked.settimeout(patience)
            with asked.makefile("rb") as told:
                yield told


def fits(environment: dict[str, str]) -> bool:
    """Say whether what a command is given besides can still have its effect in a fork."""
    return not any(name.startswith(ONLY_AT_THE_START) for name in environment)


def _all(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


# -- the server ------------------------------------------------------------------------------------------------------


def serve(path: str) -> None:
    """Fork for whoever asks, until this is ended."""
    for module in (*(f"webwx.cli.{module}" for module, _ in cli.COMMANDS.values()), *ALSO):
        import_module(module)
    gc.collect()
    gc.freeze()  # a fork that collects garbage would copy every page that is shared with this process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the minders
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            asked, _ = listening.accept()
            with asked:
                if os.fork() == 0:
                    listening.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    return _mind(asked)


def _mind(asked: socket.socket) -> None:
    """Start a command, wait for its end, and tell its code; in the command this ends with it."""
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    with asked.makefile("rb") as coming:
        wanted = json.load(coming)
    command = os.fork()
    if command == 0:
        asked.close()
        _become(wanted, streams)
    asked.sendall(b"%d\n" % command)
    _, status = os.waitpid(command, 0)
    asked.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(wanted: dict[str, object], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    environment, arguments = wanted["environment"], wanted["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(str(wanted["folder"]))
    sys.argv = ["webwx", *arguments]
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - what the interpreter would have made
    sys.stderr = open(2, "w", errors="backslashreplace", buffering=1)  # noqa: SIM115 - as above
    try:
        cli.main()
    except SystemExit as ended:
        _end(ended)


def _end(ended: SystemExit) -> NoReturn:
    """End this process as an interpreter does, but leave its modules in memory."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    assert isinstance(ended.code, int)
    os._exit(ended.code)


if __name__ == "__main__":
    serve(sys.argv[1])
