"""A reader of a page, with `webwx` and `python` on the path and no webwx settings, who pastes blocks into a shell."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import socket
import subprocess
import termios
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.docs.pages import DATABASE, OWN_PORT, SECOND_PORT, SERVER, Command, SavedFile, matches, program, steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forks import Forks

PATIENCE = 400.0
"""Time limit in seconds for the code of a page."""


class Reader:
    """
    A user with an environment and a home folder.

    Args:
        bin_folder: Folder with the environment's commands.
        home: Folder of the user, who works in its subfolder `folder`.
        forks: Runs `webwx` and Python instead of the environment's commands.
    """

    def __init__(self, bin_folder: Path, home: Path, forks: Forks | None = None) -> None:
        from webwx.cli.sandbox.pictures import jpeg

        own = {
            key: value for key, value in os.environ.items() if not key.startswith(("WEBWX_", "PYTEST_", "PYTHONPATH"))
        }
        path = [str(bin_folder), os.environ["PATH"]]
        if forks is not None:
            (home / "forked").mkdir()
            forks.write_command(home / "forked" / "webwx")
            path.insert(0, str(home / "forked"))
        self.environment = own | {
            "PATH": os.pathsep.join(path), "WEBWX_HOME": str(home / "home"),
            "WEBWX_CONFIG": str(home / "config.toml"), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        self.folder = home / "folder"
        self.folder.mkdir()
        (self.folder / "photo.jpg").write_bytes(jpeg())
        self._bin = bin_folder
        self._forks = forks

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """Run a sandbox that confirms every login, as the pages require; yields its address."""
        arguments = ["sandbox", "--port", "0", "--auto-confirm", "--json"]
        if self._forks is not None:
            with self._forks.running(arguments, self.environment, PATIENCE) as printed:
                yield json.loads(printed.readline())["url"]
            return
        command = [str(self._bin / "webwx"), *arguments]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())["url"]
            finally:
                process.terminate()

    def runs_python(self, page: Path, server: str) -> None:
        """Run the Python program of a page."""
        code = program(page).replace(SERVER, server)
        if self._forks is not None:
            done = self._forks.run_python(code, self.environment, self.folder, PATIENCE)
            assert done.returncode == 0, f"{code}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        else:
            self._run(self._bin / "python", "-W", "error", "-c", code)

    def types(self, page: Path, server: str, database: str = "") -> None:
        """
        Paste the blocks of a page into a shell one after the other, and compare the output with the page.

        Args:
            page: The page.
            server: Address of a sandbox.
            database: URL of the database that is used in place of the page's.
        """
        own_port, second_port = free_port(), free_port()
        background: list[tuple[Command, Path]] = []

        def check(command: Command, output: str) -> None:
            # A port may contain the digits of another one.
            printed = output.replace(server, SERVER).replace(own_port, OWN_PORT).replace(second_port, SECOND_PORT)
            assert matches(command.expected, printed), f"$ {command.typed}\n{output}"

        def with_ports(text: str) -> str:
            text = text.replace(DATABASE, f"'{database}'").replace(SECOND_PORT, second_port)
            return text.replace(OWN_PORT, own_port).replace(SERVER, server)

        def pasted(command: Command) -> str:
            line = command.typed
            if line.endswith(" &"):
                background.append((command, self.folder.parent / f"output{len(background)}"))
                line = f"{line.removesuffix('&')} > '{background[-1][1]}' &"
            return with_ports(line)

        with Terminal(self.environment, self.folder) as terminal:
            for step in steps(page):
                if isinstance(step, SavedFile):
                    (self.folder / step.name).write_text(with_ports(step.content), encoding="utf-8")
                    continue
                for command, output in zip(step, terminal.paste([pasted(each) for each in step]), strict=True):
                    if not command.typed.endswith(" &"):
                        check(command, output)
        for command, file in background:
            check(command, file.read_text(encoding="utf-8"))

    def _run(self, *command: str | Path) -> str:
        """Run code of a page, which is the last argument, and return its output."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, env=self.environment, cwd=self.folder, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout


class Terminal:
    """
    A terminal with an interactive shell, as users have it.

    Only stdout of the commands is read. A failing command does not end the shell.

    Args:
        environment: Variables of the shell.
        folder: Its working folder.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._screen, terminal = pty.openpty()
        attributes = termios.tcgetattr(terminal)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "--noediting", "-i", "-o", "pipefail"], cwd=folder, stdin=terminal,
            stdout=subprocess.PIPE, stderr=terminal, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=environment | {"PS1": "", "PS2": "", "TERM": "dumb", "HISTFILE": ""},
        )  # fmt: skip
        os.close(terminal)
        self._shown = b""
        self._drain = threading.Thread(target=self._read_screen, daemon=True)
        self._drain.start()
        self._printed = b""
        self._deadline = time.monotonic() + PATIENCE

    def __enter__(self) -> Terminal:
        self.paste(["trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT"])  # No process is left after a page that fails.
        return self

    def __exit__(self, *error: object) -> None:
        assert self._shell.stdout is not None
        os.close(self._screen) if error[0] else self._write(b"exit\n")  # The first is a hangup.
        try:
            self._shell.wait(60)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()
        self._shell.stdout.close()

    def paste(self, lines: list[str]) -> list[str]:
        """Paste lines all at once, and return what each has printed once all are done."""
        text = "".join(f"{line}\nprintf '\\n<%s>\\n' $?\n" for line in lines)
        threading.Thread(target=self._write, args=[text.encode()], daemon=True).start()
        return [self._read_output(line) for line in lines]

    def _read_output(self, line: str) -> str:
        assert self._shell.stdout is not None
        stdout = self._shell.stdout.fileno()
        while (found := _END.search(self._printed)) is None:
            ready, _, _ = select.select([stdout], [], [], max(0.0, self._deadline - time.monotonic()))
            assert ready, f"$ {line}\nThis does not end.\n{self._all_shown()}"
            received = os.read(stdout, 65_536)
            assert received, f"$ {line}\nThe shell has ended.\n{self._all_shown()}"
            self._printed += received
        output, self._printed = self._printed[: found.start()], self._printed[found.end() :]
        assert found[1] == b"0", f"$ {line}\n{output.decode()}\nexit code {found[1].decode()}\n{self._all_shown()}"
        return output.decode()

    def _all_shown(self) -> str:
        return (self._printed + b"\n" + self._shown).decode(errors="replace")

    def _write(self, text: bytes) -> None:
        """Write to the shell's input; this blocks while a command runs and the terminal's buffer is full."""
        with suppress(OSError):
            while text:
                text = text[os.write(self._screen, text) :]

    def _read_screen(self) -> None:
        with suppress(OSError):  # the shell has ended
            while received := os.read(self._screen, 65_536):
                self._shown += received


_END = re.compile(rb"\n<(\d+)>\n")
"""What the shell prints after each pasted line: its exit code."""


def free_port() -> str:
    """Return a port that no server uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])
