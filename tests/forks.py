"""
A server that runs `webwx` and Python programs in forks, without importing the package each time.

It has imported every command and forks for each request: a process with its own environment, folder, streams and exit
code, for a tenth of the CPU time. A forked `webwx` flushes its streams, waits for its threads, collects garbage, and
then ends without the interpreter's finalization, which would take three times as long as most commands. For the rest,
tests see it begin and end as users do.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol

from tests.fork_client import ask

from webwx import cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALSO = (
    "aiohttp",
    "webwx.client.client",
    "webwx.client.blocking",
    "webwx.gateway.ownership.sole",
    "webwx.gateway.serve",
    "webwx.sandbox.serve",
    "webwx.storage.sqlite.journal",
    "webwx.transport.http11",
)
"""Modules that many commands import late."""

ONLY_AT_THE_START = ("PYTHON", "LD_", "LC_ALL", "LC_CTYPE", "LANG")
"""Prefixes of variables that have an effect only while an interpreter starts."""

LATER = ("PYTHON_KEYRING_BACKEND",)
"""Variables with such a prefix that have an effect later."""


class HasDescriptor(Protocol):
    """A file of the operating system."""

    def fileno(self) -> int: ...


class Forks:
    """The server, and the client that sends requests to it."""

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
        self, arguments: list[str], stdin: bytes | None, environment: dict[str, str], patience: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `webwx` to its end, as `subprocess.run` does; without `stdin`, that is /dev/null."""
        return self._run({"arguments": arguments, "folder": str(Path.cwd())}, stdin, environment, patience)

    def run_python(
        self, code: str, environment: dict[str, str], folder: Path, patience: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a Python program to its end, as `python -W error -c` does."""
        return self._run({"code": code, "folder": str(folder)}, b"", environment, patience)

    @contextmanager
    def running(self, arguments: list[str], environment: dict[str, str], patience: float) -> Iterator[BinaryIO]:
        """Run `webwx` during a test and end it afterwards; yields its stdout."""
        reading, writing = os.pipe()
        with ExitStack() as stack:
            printed = stack.enter_context(os.fdopen(reading, "rb"))
            with Path(os.devnull).open("rb") as nothing, os.fdopen(writing, "wb") as stdout:
                assert sys.__stderr__ is not None
                streams = (nothing, stdout, sys.__stderr__)
                wanted = {"arguments": arguments, "folder": str(Path.cwd())}
                answer = stack.enter_context(self._ask(wanted, environment, streams, patience))
            number = int(answer.readline())
            try:
                yield printed
            finally:
                os.kill(number, signal.SIGTERM)
                answer.readline()  # Its exit code, which arrives when the process has ended.

    def start(
        self,
        arguments: list[str],
        environment: dict[str, str],
        folder: Path | None,
        streams: Sequence[IO[Any] | int],
        *,
        program: Path | None = None,
    ) -> Fork:
        """
        Start `webwx` or another program, as `subprocess.Popen` does.

        Args:
            arguments: Its arguments.
            environment: Its complete environment.
            folder: Its working folder; this process's by default.
            streams: Its stdin, stdout and stderr: files, or `subprocess.PIPE` or `DEVNULL`.
            program: A Python file that is run instead of `webwx`.
        """
        wanted = {"arguments": arguments, "environment": environment, "folder": str(folder or Path.cwd())}
        return Fork(self._path, wanted | ({} if program is None else {"program": str(program)}), streams)

    def write_command(self, file: Path) -> None:
        """Write a program that shells can run as `webwx`."""
        client = Path(__file__).with_name("fork_client.py")
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -E -S "{client}" "{self._path}" "$@"\n', "utf-8")
        file.chmod(0o700)

    def _run(
        self, wanted: dict[str, Any], stdin: bytes | None, environment: dict[str, str], patience: float
    ) -> subprocess.CompletedProcess[bytes]:
        with ExitStack() as stack:
            streams: list[IO[bytes]] = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            if stdin is None:
                streams[0] = stack.enter_context(Path(os.devnull).open("rb"))
            else:
                streams[0].write(stdin)
                streams[0].seek(0)
            answer = stack.enter_context(self._ask(wanted, environment, streams, patience))
            number = int(answer.readline())
            try:
                code = int(answer.readline())
            except TimeoutError:
                os.kill(number, signal.SIGKILL)
                raise subprocess.TimeoutExpired(str(wanted), patience, _all(streams[1]), _all(streams[2])) from None
            return subprocess.CompletedProcess(str(wanted), code, _all(streams[1]), _all(streams[2]))

    @contextmanager
    def _ask(
        self, wanted: dict[str, Any], environment: dict[str, str], streams: Sequence[HasDescriptor], patience: float
    ) -> Iterator[BinaryIO]:
        """
        Send a request; yields the answer: one line with the process id, and at the end one line with its exit code.
        """
        with ask(self._path, wanted | {"environment": environment}, [stream.fileno() for stream in streams]) as asked:
            asked.settimeout(patience)
            with asked.makefile("rb") as answer:
                yield answer


class Fork:
    """A running fork of `webwx` or of a program, with the interface of a `subprocess.Popen` in text mode."""

    def __init__(self, path: str, wanted: dict[str, Any], streams: Sequence[IO[Any] | int]) -> None:
        self.returncode: int | None = None
        ours: list[IO[str] | None] = []
        theirs = list[int]()
        for is_input, stream in zip((True, False, False), streams, strict=True):
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                mine, given = (writing, reading) if is_input else (reading, writing)
                ours.append(os.fdopen(mine, "w" if is_input else "r", encoding="utf-8"))
                theirs.append(given)
            else:
                ours.append(None)
                theirs.append(os.open(os.devnull, os.O_RDWR) if isinstance(stream, int) else os.dup(stream.fileno()))
        self._stdin, self._stdout, self._stderr = ours
        self._asked = ask(path, wanted, theirs)
        for number in theirs:
            os.close(number)
        self._answer = b""
        self._read_lines(1, None)
        self.pid = int(self._answer)

    def __enter__(self) -> Fork:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Wait for its end, but not if the test has failed."""
        if kind is not None:
            self.kill()
        for stream in (self._stdin, self._stdout, self._stderr):
            if stream is not None:
                stream.close()
        self.wait()
        self._asked.close()

    @property
    def stdin(self) -> IO[str]:
        """The pipe to its stdin; there has to be one."""
        assert self._stdin is not None
        return self._stdin

    @property
    def stdout(self) -> IO[str]:
        """The pipe from its stdout; there has to be one."""
        assert self._stdout is not None
        return self._stdout

    @property
    def stderr(self) -> IO[str]:
        """The pipe from its stderr; there has to be one."""
        assert self._stderr is not None
        return self._stderr

    def poll(self) -> int | None:
        """Return the exit code, or `None` while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code, negative after a signal."""
        if self.returncode is None:
            try:
                self._read_lines(2, timeout)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("webwx", timeout or 0) from None
            self.returncode = int(self._answer.split()[1])
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Close stdin, read the rest of stdout and stderr, and wait for its end."""
        if self._stdin is not None:
            self._stdin.close()
        read: dict[int, str] = {}
        pipes = {number: pipe for number, pipe in enumerate((self._stdout, self._stderr)) if pipe is not None}
        threads = [
            threading.Thread(target=lambda at, pipe: read.update({at: pipe.read()}), args=each, daemon=True)
            for each in pipes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout)
            if thread.is_alive():
                raise subprocess.TimeoutExpired("webwx", timeout)
        self.wait(timeout)
        for pipe in pipes.values():
            pipe.close()
        self._asked.close()
        return read.get(0, ""), read.get(1, "")

    def send_signal(self, number: int) -> None:
        """Send it a signal if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read_lines(self, count: int, timeout: float | None) -> None:
        self._asked.settimeout(timeout)
        while self._answer.count(b"\n") < count:
            received = self._asked.recv(100)
            assert received, "the server has ended"
            self._answer += received


def fits(environment: dict[str, str]) -> bool:
    """Return whether all of these variables have an effect in a fork."""
    return not any(name.startswith(ONLY_AT_THE_START) for name in environment if name not in LATER)


def _all(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read()


# -- the server ------------------------------------------------------------------------------------------------------


def serve(path: str) -> None:
    """
    Fork for each request until this process ends.

    A fork's exit code is sent when it has ended; it is killed when the connection of its request is closed before.
    """
    _prepare()
    running: dict[int, socket.socket] = {}
    waking, wakes = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(16)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # The byte that it writes ends `select`.
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listening, waking, *running.values()], [], [])
            if waking in ready:
                waking.recv(1000)
                _report_ended(running)
            for fork in [fork for fork, asked in running.items() if asked in ready]:
                os.kill(fork, signal.SIGKILL)
                running.pop(fork).close()
            if listening not in ready:
                continue
            asked, wanted, streams = _read_request(listening)
            fork = os.fork()
            if fork == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for inherited in (listening, waking, wakes, asked, *running.values()):
                    inherited.close()
                return _become(json.loads(wanted), streams)
            running[fork] = asked
            with suppress(ConnectionError):  # The client may have ended, here and below.
                asked.sendall(b"%d\n" % fork)
            for stream in streams:
                os.close(stream)


def _prepare() -> None:
    """
    Do what forks would have to do themselves: import, build the gateway's routes, and run some code of every command.

    The interpreter adapts code that it runs repeatedly; a fork that does this itself copies the pages of that code.
    """
    for module in (*(f"webwx.cli.{module}" for module in cli.COMMANDS.values()), *ALSO):
        import_module(module)
    from webwx.gateway.app import route_table  # Not above, because clients of this server import this module too.
    from webwx.gateway.config import LimitsTable

    route_table(LimitsTable().body)
    for command in cli.COMMANDS:
        sys.argv = ["webwx", command, "--help"]
        with redirect_stdout(StringIO()), suppress(SystemExit):
            cli.main()
    gc.collect()
    gc.freeze()  # A fork that collects garbage would copy every page that it shares with this process.


def _read_request(listening: socket.socket) -> tuple[socket.socket, bytes, list[int]]:
    """Return a connection, its request and the streams of the fork; the client has written all before it waits."""
    asked, _ = listening.accept()
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    with asked.makefile("rb") as coming:
        return asked, coming.readline(), streams


def _report_ended(running: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):  # No fork is left.
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            fork, status = ended
            if fork in running:
                with running.pop(fork) as asked, suppress(ConnectionError):
                    asked.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(wanted: dict[str, Any], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    time.tzset()
    os.chdir(wanted["folder"])
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - what the interpreter would have made
    sys.stderr = open(2, "w", errors="backslashreplace", buffering=1)  # noqa: SIM115 - as above
    if "code" in wanted:
        return _run_code(wanted["code"])
    sys.argv = [wanted.get("program", "webwx"), *wanted["arguments"]]
    if "program" in wanted:
        runpy.run_path(wanted["program"], run_name="__main__")
        return None  # This process ends as an interpreter does.
    try:
        cli.main()
    except SystemExit as ended:
        _end(ended)


def _run_code(code: str) -> None:
    """Run a program as `__main__`, with warnings as errors; this process ends as an interpreter does."""
    warnings.simplefilter("error")
    sys.argv = ["-c"]
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(code, "<string>", "exec", dont_inherit=True), vars(main))


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
